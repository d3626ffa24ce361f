-- The name of a unique index says the field that it is about: a refusal names the field by it.
ALTER INDEX stock.category_external_idx RENAME TO category_external_id_idx;
ALTER INDEX stock.unit_external_idx RENAME TO unit_external_id_idx;
ALTER INDEX stock.product_external_idx RENAME TO product_external_id_idx;
ALTER INDEX stock.customer_external_idx RENAME TO customer_external_id_idx;
ALTER INDEX stock.supplier_external_idx RENAME TO supplier_external_id_idx;
ALTER INDEX stock.sale_external_idx RENAME TO sale_external_id_idx;
ALTER INDEX stock.sale_return_external_idx RENAME TO sale_return_external_id_idx;

-- A customer who is deleted asks every table that may name them, along an index.
CREATE INDEX sale_return_customer_idx ON stock.sale_return (tenant_id, customer_id) WHERE customer_id IS NOT NULL;
