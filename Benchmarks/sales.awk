# A file of sales made by a seed, in the shape of the given one: LINES lines of PRODUCTS products, 20 lines a sale on average, a return in fifty.
# Every product is sold; after that some are sold often and most seldom.
BEGIN {
    srand(SEED)
    OFS = ","
    print "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice"
    for (p = 0; p < PRODUCTS; p++) price[p] = sprintf("%.2f", 0.25 + int(rand() * rand() * 2000) / 100)
    for (p = 0; p < PRODUCTS; p++) {
        other = int(rand() * (p + 1))
        order[p] = order[other]
        order[other] = p
    }
    line = 0
    second = 1291190400 # 2010-12-01 08:00
    for (sale = 536365; line < LINES; sale++) {
        second += 1 + int(rand() * 420)
        time = strftime("%Y-%m-%dT%H:%M:%S", second, 1)
        sign = rand() < 0.02 ? -1 : 1
        for (left = 1 + int(rand() * 39); left > 0 && line < LINES; left--) {
            p = order[line < PRODUCTS ? line : int(PRODUCTS * rand() * rand())]
            print (sign < 0 ? "C" : "") sale, sprintf("S%06d", p), "PRODUCT NUMBER " p " OF A SHOP", sign * (1 + int(rand() * rand() * 24)), time, price[p]
            line++
        }
    }
}
