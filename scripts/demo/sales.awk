# Three months of a neighbourhood shop's sales, as a file for `stock import sales`; always the same ones for the same days.
#
#   awk -v method=card -f sales.awk products.csv days
#
# days: one line per open day, "2026-01-31 6" (date and ISO weekday). Two runs, one per method of payment, share the same random walk, so that
# every sale is in exactly one of the two files.
BEGIN {
    FS = ","
    srand(20260131)
    print "sale,sku,name,quantity,unit_price,occurred_at"
}
FILENAME == ARGV[1] {
    if (FNR > 1) {
        n++
        sku[n] = $1; name[n] = $2; unit[n] = $4; price[n] = $5
        total += $8
        upto[n] = total
    }
    next
}
{
    split($0, day, " ")
    busy = day[2] == 6 ? 1.7 : day[2] == 5 ? 1.3 : 1
    sales = int(busy * (26 + 14 * rand()))
    for (s = 1; s <= sales; s++) {
        # Most people come before noon and after work.
        hour = rand() < 0.45 ? 8 + 4 * rand() : rand() < 0.7 ? 16 + 3.9 * rand() : 12 + 4 * rand()
        at = sprintf("%sT%02d:%02d:%02d", day[1], int(hour), int((hour % 1) * 60), int(60 * rand()))
        mine = (rand() < 0.56) == (method == "card")
        number++
        lines = 1 + int(-log(1 - 0.95 * rand()) * 1.9)
        split("", taken)
        for (l = 1; l <= lines; l++) {
            wanted = rand() * total
            for (p = 1; p < n && upto[p] < wanted; p++) { }
            much = rand()
            if (p in taken) continue
            taken[p] = 1
            quantity = unit[p] == "kg" ? sprintf("%.3f", 0.15 + 1.4 * much) : much < 0.72 ? 1 : much < 0.92 ? 2 : 3 + int(4 * rand())
            if (mine) printf "D%05d,%s,%s,%s,%s,%s\n", number, sku[p], name[p], quantity, price[p], at
        }
    }
}
