extension ImportSniffer {
    /// What others call the fields, without case and without what stands between words: tills, shops and books of English, Spanish, Portuguese
    /// and German, the likeliest first.
    static let otherNames: [String: [String]] = {
        var names: [String: [String]] = [:]
        for line in table.split(separator: "\n") {
            let words = line.split(separator: " ").map { String($0) }
            if let field = words.first { names[field] = Array(words.dropFirst()) }
        }
        return names
    }()

    private static let table = """
        sale invoiceno invoicenumber invoice receiptnumber receiptno receipt ordernumber orderid order \
            transactionid transaction bonnummer bon belegnummer belegnr beleg rechnungsnummer rechnung ticket \
            factura númerodefactura venta fatura venda cupom
        sku stockcode itemcode productcode variantsku lineitemsku itemsku internalreference articleno \
            articlenumber artikelnummer artikelnr artikel referencia referência código codigo
        name description productname itemname item product title lineitemname customername customer supplier \
            vendor bezeichnung beschreibung artikelbezeichnung nombre descripción descripcion producto nome \
            descrição descricao produto kunde lieferant cliente proveedor fornecedor
        quantity qty quantitysold lineitemquantity units menge anzahl cantidad quantidade
        unit_price price itemprice lineitemprice priceperunit einzelpreis stückpreis preis preciounitario precio \
            preçounitário preço preco
        price unitprice salesprice saleprice regularprice variantprice retailprice listprice verkaufspreis preis \
            precio pvp preço preco
        occurred_at invoicedate datetime date orderdate createdat paidat timestamp datum fecha data
        time_of_day time uhrzeit zeit hora
        payment_method payment paymenttype tender tendertype zahlart zahlungsart métododepago formadepago pago \
            formadepagamento pagamento
        method paymentmethod payment paymenttype tender paidby account zahlart zahlungsart konto métododepago formadepago \
            formadepagamento
        amount total value gross betrag summe importe monto valor
        paid amountpaid tendered bezahlt pagado pago
        customer customername client buyer kunde kundennummer cliente
        register till terminal pos kasse caja caixa
        discount linediscount lineitemdiscount rebate rabatt nachlass descuento desconto
        supplier vendor payee lieferant proveedor fornecedor
        note notes memo comment remark remarks notiz bemerkung nota observaciones observação
        reference invoice invoicenumber invoiceno document documentnumber rechnungsnummer belegnummer factura fatura
        unit_cost cost costprice purchaseprice netprice price einkaufspreis ek coste precio custo
        packaging pack packsize verpackung gebinde envase embalagem
        barcodes barcode ean gtin upc variantbarcode eancode strichcode códigodebarras
        category categories productcategory department kategorie warengruppe categoría categoria familia
        tax_rate tax taxpercent vat vatrate salestax mwst mwstsatz ust steuersatz iva tipodeiva
        tax_group taxclass taxname steuergruppe
        unit unitofmeasure uom einheit unidad unidade
        min_stock lowstock lowstockamount lowstockthreshold reorderpoint minimum mindestbestand meldebestand \
            stockmínimo existenciasmínimas estoquemínimo
        on_hand stock instock currentquantity quantity qty inventory available variantinventoryqty \
            quantityonhand bestand lagerbestand menge existencias cantidad estoque quantidade
        cost unitcost costperitem purchaseprice averagecost einkaufspreis ek coste costo custo
        location store branch warehouse shop filiale lager standort sucursal tienda almacén loja filial armazém
        external_id id externalid handle itemid productid customerid reference receiptno receiptnumber documentnumber \
            kundennummer belegnummer belegnr
        email emailaddress mail correo correoelectrónico
        phone phonenumber telephone mobile tel telefon telefonnummer teléfono telefone
        tax_id vatnumber taxnumber ustid ustidnr steuernummer nif cif cnpj cpf
        contact contactname contactperson ansprechpartner contacto contato
        parent parentcategory oberkategorie categoríapadre
        symbol abbreviation abkürzung símbolo
        decimals precision nachkommastellen decimales
        credit_limit creditlimit kreditlimit límitedecrédito
        active enabled aktiv activo ativo
        """
}
