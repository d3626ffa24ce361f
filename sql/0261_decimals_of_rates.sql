-- A percentage with too many decimals has the code of that fault, as a product's tax_rate has; it was out of range.

-- Row trigger of taxes: what a group has named stays what it is, as a document may have used it, but for its name.
CREATE OR REPLACE FUNCTION stock.tax_kept() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_groups uuid[];
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.used THEN
            PERFORM stock.refuse('in_use', 'A group has named the tax, so that documents may have used it. Archive it.');
        END IF;
        RETURN OLD;
    END IF;
    IF NEW.kind = 'percent' AND NEW.rate >= 1000 THEN
        PERFORM stock.refuse_field('out_of_range', '/rate', 'Percent are below 1000.');
    ELSIF NEW.kind = 'percent' AND NEW.rate <> round(NEW.rate, 4) THEN
        PERFORM stock.refuse_field('too_many_decimals', '/rate', 'Percent have at most 4 decimals.');
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.used THEN
        PERFORM stock.refuse_field('in_use', v.pointer, 'A group has named the tax. Another rate is another tax.')
        FROM (VALUES (1, NEW.kind <> OLD.kind, '/kind'), (2, NEW.rate <> OLD.rate, '/rate'),
                     (3, NEW.included IS DISTINCT FROM OLD.included, '/included'),
                     (4, NEW.compound <> OLD.compound, '/compound')) AS v (n, holds, pointer)
        WHERE v.holds ORDER BY v.n LIMIT 1;
        IF NEW.name <> OLD.name THEN
            SELECT array_agg(m.tax_group_id) INTO v_groups FROM stock.tax_group_tax m
            WHERE m.tenant_id = NEW.tenant_id AND m.tax_id = NEW.id;
            IF v_groups IS NOT NULL THEN
                PERFORM stock.products_retaxed(v_groups);
            END IF;
        END IF;
    END IF;
    RETURN NEW;
END
$$;
