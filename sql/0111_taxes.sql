-- Taxes and groups of taxes. A product names a group; its single rate is a group of one, made on demand.
-- docs/decisions/0034-taxes.md tells why they are kept so. What the binary before calls stays callable.

CREATE TABLE stock.tax (
    tenant_id      bigint NOT NULL REFERENCES stock.tenant (id),
    id             uuid NOT NULL,
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key       text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    kind           text NOT NULL DEFAULT 'percent' CHECK (kind IN ('percent', 'amount_per_unit')),
    -- Percent, or an amount for one unit.
    rate           numeric(18,6) NOT NULL CHECK (rate >= 0),
    -- Whether prices contain it; NULL as the tenant's prices do.
    included       boolean,
    compound       boolean NOT NULL DEFAULT false,
    active         boolean NOT NULL DEFAULT true,
    -- Whether a group ever named it, so that a document may have used it.
    used           boolean NOT NULL DEFAULT false,
    -- The rate of products for which it was made on demand.
    standard_rate  numeric(7,4),
    version        bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id),
    CHECK (kind <> 'percent' OR rate < 1000 AND rate = round(rate, 4))
);
ALTER TABLE stock.tax ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX tax_name_idx ON stock.tax (tenant_id, name_key, id);
CREATE UNIQUE INDEX tax_standard_rate_idx ON stock.tax (tenant_id, standard_rate) WHERE standard_rate IS NOT NULL;
CALL stock.secure_table('stock.tax', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.tax', 'cache_touch', 'settings');

CREATE TABLE stock.tax_group (
    tenant_id      bigint NOT NULL REFERENCES stock.tenant (id),
    id             uuid NOT NULL,
    name           text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    name_key       text GENERATED ALWAYS AS (stock.folded(name)) STORED,
    -- The rate of products for which it was made on demand, as long as its taxes are what was made.
    standard_rate  numeric(7,4),
    version        bigint NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, id)
);
ALTER TABLE stock.tax_group ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX tax_group_name_idx ON stock.tax_group (tenant_id, name_key, id);
CREATE UNIQUE INDEX tax_group_standard_rate_idx ON stock.tax_group (tenant_id, standard_rate)
    WHERE standard_rate IS NOT NULL;
CALL stock.secure_table('stock.tax_group', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.tax_group', 'cache_touch', 'settings', 'products');

-- The taxes of a group, in their order.
CREATE TABLE stock.tax_group_tax (
    tenant_id     bigint NOT NULL,
    tax_group_id  uuid NOT NULL,
    tax_id        uuid NOT NULL,
    position      integer NOT NULL CHECK (position BETWEEN 1 AND 10),
    PRIMARY KEY (tenant_id, tax_group_id, tax_id),
    FOREIGN KEY (tenant_id, tax_group_id) REFERENCES stock.tax_group (tenant_id, id) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, tax_id) REFERENCES stock.tax (tenant_id, id)
);
ALTER TABLE stock.tax_group_tax ALTER COLUMN tenant_id SET STATISTICS 0;
CREATE INDEX tax_group_tax_tax_idx ON stock.tax_group_tax (tenant_id, tax_id) WHERE tax_id IS NOT NULL;
CALL stock.secure_table('stock.tax_group_tax', 'SELECT, INSERT, UPDATE, DELETE');
CALL stock.watch_table('stock.tax_group_tax', 'cache_touch', 'settings', 'products');

CREATE FUNCTION stock.tax_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT t.id, t.name, t.kind, stock.quantity_text(t.rate) AS rate, t.included, t.compound, t.active, t.version,
               stock.rfc3339(t.created_at) AS created_at, stock.rfc3339(t.updated_at) AS updated_at
        FROM stock.tax t WHERE t.tenant_id = p_tenant AND t.id = p_id
    ) r;
    RETURN v_body;
END
$$;

CREATE FUNCTION stock.tax_group_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT g.id, g.name,
               ARRAY(SELECT m.tax_id FROM stock.tax_group_tax m
                     WHERE m.tenant_id = g.tenant_id AND m.tax_group_id = g.id ORDER BY m.position) AS taxes,
               g.version, stock.rfc3339(g.created_at) AS created_at, stock.rfc3339(g.updated_at) AS updated_at
        FROM stock.tax_group g WHERE g.tenant_id = p_tenant AND g.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- What products and lines take from them ---------------------------------------------------------------------------------

ALTER TABLE stock.product ADD COLUMN tax_group_id uuid, ALTER COLUMN tax_rate DROP NOT NULL;
-- NULL: the tax of tax_rate alone, which the tenant's prices contain or not.
ALTER TABLE stock.sale_line ADD COLUMN taxes jsonb, ALTER COLUMN tax_rate DROP NOT NULL;
ALTER TABLE stock.sale_line ADD CONSTRAINT sale_line_taxes CHECK (tax_rate IS NOT NULL OR taxes IS NOT NULL) NOT VALID;

-- What the group of one tax of a rate is called, and its tax.
CREATE FUNCTION stock.standard_tax_name(p_rate numeric) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN trim_scale(p_rate) || ' %';

-- The rate of a group that is one percentage; NULL of any other.
CREATE FUNCTION stock.tax_group_rate(p_tenant bigint, p_group uuid) RETURNS numeric
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_rate numeric;
BEGIN
    SELECT CASE WHEN count(*) = 1 AND min(t.kind) = 'percent' THEN min(t.rate) END INTO v_rate
    FROM stock.tax_group_tax m
    JOIN stock.tax t ON t.tenant_id = m.tenant_id AND t.id = m.tax_id
    WHERE m.tenant_id = p_tenant AND m.tax_group_id = p_group;
    RETURN v_rate;
END
$$;

-- The taxes of a group as lines are computed by them and keep them; NULL where a rate says it all: one percentage, contained
-- as the tenant's prices contain it, and called as one that was made on demand. p_includes: whether the tenant's prices
-- contain taxes; NULL leaves it open.
CREATE FUNCTION stock.group_taxes(p_tenant bigint, p_group uuid, p_includes boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_taxes jsonb;
    v_plain boolean;
BEGIN
    SELECT jsonb_agg(jsonb_build_object('name', t.name, 'kind', t.kind, 'rate', stock.quantity_text(t.rate),
                                        'included', coalesce(t.included, p_includes), 'compound', t.compound)
                     ORDER BY m.position),
           count(*) = 1 AND bool_and(t.kind = 'percent' AND t.included IS NULL
                                     AND t.name = stock.standard_tax_name(t.rate))
    INTO v_taxes, v_plain
    FROM stock.tax_group_tax m
    JOIN stock.tax t ON t.tenant_id = m.tenant_id AND t.id = m.tax_id
    WHERE m.tenant_id = p_tenant AND m.tax_group_id = p_group;
    RETURN CASE WHEN v_plain THEN NULL ELSE v_taxes END;
END
$$;

-- The tax of one rate, made if there is none.
CREATE FUNCTION stock.standard_tax(p_tenant bigint, p_rate numeric) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_id uuid;
BEGIN
    SELECT t.id INTO v_id FROM stock.tax t WHERE t.tenant_id = p_tenant AND t.standard_rate = p_rate;
    IF v_id IS NULL THEN
        INSERT INTO stock.tax (tenant_id, id, name, rate, standard_rate)
        VALUES (p_tenant, gen_random_uuid(), stock.standard_tax_name(p_rate), p_rate, p_rate)
        ON CONFLICT (tenant_id, standard_rate) WHERE standard_rate IS NOT NULL DO NOTHING;
        SELECT t.id INTO v_id FROM stock.tax t WHERE t.tenant_id = p_tenant AND t.standard_rate = p_rate;
    END IF;
    RETURN v_id;
END
$$;

-- The group of one tax of a rate, made if there is none. It is held, so that it stays the group of that rate until the product
-- that names it is there and seen by whoever changes it; one that is being changed is waited for.
CREATE FUNCTION stock.standard_tax_group(p_tenant bigint, p_rate numeric) RETURNS uuid
LANGUAGE plpgsql AS $$
DECLARE
    v_id  uuid;
    v_tax uuid;
BEGIN
    LOOP
        SELECT g.id INTO v_id FROM stock.tax_group g
        WHERE g.tenant_id = p_tenant AND g.standard_rate = p_rate FOR KEY SHARE;
        IF FOUND THEN
            -- Such a lock gives what was there before it waited.
            PERFORM FROM stock.tax_group g
            WHERE g.tenant_id = p_tenant AND g.id = v_id AND g.standard_rate = p_rate;
            EXIT WHEN FOUND;
            CONTINUE;
        END IF;
        v_tax := stock.standard_tax(p_tenant, p_rate);
        INSERT INTO stock.tax_group (tenant_id, id, name, standard_rate)
        VALUES (p_tenant, gen_random_uuid(), stock.standard_tax_name(p_rate), p_rate)
        ON CONFLICT (tenant_id, standard_rate) WHERE standard_rate IS NOT NULL DO NOTHING
        RETURNING id INTO v_id;
        -- Else somebody has made it meanwhile, with its tax.
        IF FOUND THEN
            UPDATE stock.tax t SET used = true WHERE t.tenant_id = p_tenant AND t.id = v_tax AND NOT t.used;
            INSERT INTO stock.tax_group_tax (tenant_id, tax_group_id, tax_id, position) VALUES (p_tenant, v_id, v_tax, 1);
            EXIT;
        END IF;
    END LOOP;
    RETURN v_id;
END
$$;

-- Row trigger of products, whoever writes them: group and rate agree. A group that is named decides; a rate without a group,
-- or another than that of the group that is there, takes the group of one tax.
CREATE FUNCTION stock.product_taxed() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_rate numeric;
BEGIN
    IF NEW.tax_group_id IS NOT NULL THEN
        -- Whoever changes what is in the group is waited for, and waits for this.
        PERFORM FROM stock.tax_group g WHERE g.tenant_id = NEW.tenant_id AND g.id = NEW.tax_group_id FOR KEY SHARE;
        v_rate := stock.tax_group_rate(NEW.tenant_id, NEW.tax_group_id);
        IF TG_OP = 'INSERT' OR OLD.tax_group_id IS DISTINCT FROM NEW.tax_group_id OR NEW.tax_rate IS NULL
            OR NEW.tax_rate = v_rate
        THEN
            NEW.tax_rate := v_rate;
            RETURN NEW;
        END IF;
    END IF;
    NEW.tax_rate := coalesce(NEW.tax_rate, 0);
    NEW.tax_group_id := stock.standard_tax_group(NEW.tenant_id, NEW.tax_rate);
    RETURN NEW;
END
$$;

-- Row-level security binds the owner as well: it is lifted for this transaction.
ALTER TABLE stock.product NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.tax NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.tax_group NO FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.tax_group_tax NO FORCE ROW LEVEL SECURITY;
INSERT INTO stock.tax (tenant_id, id, name, rate, used, standard_rate)
SELECT p.tenant_id, gen_random_uuid(), stock.standard_tax_name(p.tax_rate), p.tax_rate, true, p.tax_rate
FROM (SELECT DISTINCT o.tenant_id, o.tax_rate FROM stock.product o) p;
INSERT INTO stock.tax_group (tenant_id, id, name, standard_rate)
SELECT t.tenant_id, gen_random_uuid(), t.name, t.standard_rate FROM stock.tax t;
INSERT INTO stock.tax_group_tax (tenant_id, tax_group_id, tax_id, position)
SELECT t.tenant_id, g.id, t.id, 1
FROM stock.tax t JOIN stock.tax_group g ON g.tenant_id = t.tenant_id AND g.standard_rate = t.standard_rate;
UPDATE stock.product p SET tax_group_id = g.id
FROM stock.tax_group g WHERE g.tenant_id = p.tenant_id AND g.standard_rate = p.tax_rate;
ALTER TABLE stock.product FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.tax FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.tax_group FORCE ROW LEVEL SECURITY;
ALTER TABLE stock.tax_group_tax FORCE ROW LEVEL SECURITY;

ALTER TABLE stock.product ADD CONSTRAINT product_tenant_id_tax_group_id_fkey
    FOREIGN KEY (tenant_id, tax_group_id) REFERENCES stock.tax_group (tenant_id, id);
CREATE INDEX product_tax_group_idx ON stock.product (tenant_id, tax_group_id) WHERE tax_group_id IS NOT NULL;
CREATE TRIGGER tax_insert BEFORE INSERT ON stock.product FOR EACH ROW EXECUTE FUNCTION stock.product_taxed();
CREATE TRIGGER tax_update BEFORE UPDATE ON stock.product FOR EACH ROW
    WHEN (OLD.tax_group_id IS DISTINCT FROM NEW.tax_group_id OR OLD.tax_rate IS DISTINCT FROM NEW.tax_rate)
    EXECUTE FUNCTION stock.product_taxed();

-- Changes of taxes and groups ---------------------------------------------------------------------------------------------

-- Products whose groups are others than they were get another version, which is what sales compare. A product that somebody
-- is writing with one of the groups holds the group: it is waited for, and seen.
CREATE FUNCTION stock.products_retaxed(p_groups uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
BEGIN
    -- Before the groups, as batches of products take it.
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.products', v_tenant));
    PERFORM FROM stock.tax_group g WHERE g.tenant_id = v_tenant AND g.id = ANY (p_groups) ORDER BY g.id FOR UPDATE;
    PERFORM FROM stock.product p
    WHERE p.tenant_id = v_tenant AND p.tax_group_id = ANY (p_groups) ORDER BY p.id FOR NO KEY UPDATE;
    UPDATE stock.product p
    SET tax_rate = g.rate, version = p.version + 1, updated_at = now()
    FROM (SELECT w.id, stock.tax_group_rate(v_tenant, w.id) AS rate FROM unnest(p_groups) AS w (id) OFFSET 0) g
    WHERE p.tenant_id = v_tenant AND p.tax_group_id = g.id;
END
$$;

-- Row trigger of taxes: what a group has named stays what it is, as a document may have used it, but for its name.
CREATE FUNCTION stock.tax_kept() RETURNS trigger
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
    IF NEW.kind = 'percent' AND (NEW.rate >= 1000 OR NEW.rate <> round(NEW.rate, 4)) THEN
        PERFORM stock.refuse_field('validation_failed', '/rate', 'Percent are below 1000, with at most 4 decimals.');
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
CREATE TRIGGER tax_kept BEFORE INSERT OR UPDATE OR DELETE ON stock.tax FOR EACH ROW EXECUTE FUNCTION stock.tax_kept();

-- Makes a group's taxes exactly these, in this order. NULL keeps those that are there; a new group has the tax of 0 % then.
CREATE FUNCTION stock.tax_group_compose(p_group uuid, p_taxes uuid[]) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_before uuid[] := ARRAY(SELECT m.tax_id FROM stock.tax_group_tax m
                             WHERE m.tenant_id = v_tenant AND m.tax_group_id = p_group ORDER BY m.position);
    v_taxes  uuid[] := p_taxes;
    v_errors json;
BEGIN
    IF v_taxes IS NULL AND cardinality(v_before) > 0 OR v_taxes = v_before THEN
        RETURN;
    ELSIF v_taxes IS NULL THEN
        v_taxes := ARRAY[stock.standard_tax(v_tenant, 0)];
    END IF;
    -- From here on they stay what they are.
    PERFORM FROM stock.tax t WHERE t.tenant_id = v_tenant AND t.id = ANY (v_taxes) ORDER BY t.id FOR NO KEY UPDATE;
    SELECT json_agg(json_build_object('pointer', '/taxes/' || w.n - 1, 'code', v.code, 'detail', v.sentence) ORDER BY w.n)
    INTO v_errors
    FROM (SELECT u.id, u.n, row_number() OVER (PARTITION BY u.id ORDER BY u.n) AS copy
          FROM unnest(v_taxes) WITH ORDINALITY AS u (id, n)) w
    LEFT JOIN LATERAL (
        SELECT o.id FROM stock.tax o
        -- What is archived stays where it is, and comes nowhere else.
        WHERE o.tenant_id = v_tenant AND o.id = w.id AND (o.active OR o.id = ANY (v_before) OR p_taxes IS NULL) OFFSET 0
    ) t ON true,
    LATERAL (VALUES (t.id IS NULL, 'not_found', 'There is no such active tax.'),
                    (w.copy > 1, 'duplicate', 'The tax is named twice.')) AS v (holds, code, sentence)
    WHERE v.holds;
    IF v_errors IS NOT NULL THEN
        PERFORM stock.refuse('validation_failed', 'The taxes of the group are not valid.', v_errors);
    END IF;
    IF (SELECT count(DISTINCT coalesce(t.included::text, 'as prices')) FROM stock.tax t
        WHERE t.tenant_id = v_tenant AND t.id = ANY (v_taxes)) > 1
    THEN
        PERFORM stock.refuse_field('validation_failed', '/taxes',
                                   'Taxes of one group have the same `included`: prices contain all of them, or none.');
    END IF;
    UPDATE stock.tax t SET used = true WHERE t.tenant_id = v_tenant AND t.id = ANY (v_taxes) AND NOT t.used;
    IF cardinality(v_before) > 0 THEN
        -- It is not the group of a rate any more. Products wait from here on.
        UPDATE stock.tax_group g SET standard_rate = NULL
        WHERE g.tenant_id = v_tenant AND g.id = p_group AND g.standard_rate IS NOT NULL;
        DELETE FROM stock.tax_group_tax m WHERE m.tenant_id = v_tenant AND m.tax_group_id = p_group;
    END IF;
    INSERT INTO stock.tax_group_tax (tenant_id, tax_group_id, tax_id, position)
    SELECT v_tenant, p_group, u.id, u.n FROM unnest(v_taxes) WITH ORDINALITY AS u (id, n);
    IF cardinality(v_before) > 0 THEN
        PERFORM stock.products_retaxed(ARRAY[p_group]);
    END IF;
END
$$;

-- Lines --------------------------------------------------------------------------------------------------------------------

-- What taxes come to on a line: `LineTaxes` of the program, in numeric. p_taxes: objects of name, kind, rate, included (the
-- same for all) and compound; gives them with base and amount. NULL if there are none.
CREATE FUNCTION stock.line_taxes(p_taxes jsonb, p_net numeric, p_quantity numeric, p_exponent integer) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    v_scale    numeric := 10::numeric ^ p_exponent;
    v_included boolean := (p_taxes -> 0 ->> 'included')::boolean;
    v_tax      jsonb;
    v_rate     numeric;
    v_shares   numeric[] := '{}';
    v_added    numeric[] := '{}';
    v_share    numeric := 0;
    v_add      numeric := 0;
    v_over     numeric;
    v_parts    numeric[] := '{}';
    v_units    numeric[] := '{}';
    v_whole    numeric;
    v_rest     numeric;
    v_before   numeric := 0;
    v_place    integer;
    v_result   jsonb := '[]';
BEGIN
    FOR v_tax IN SELECT e.tax FROM jsonb_array_elements(p_taxes) AS e (tax) LOOP
        v_rate := (v_tax ->> 'rate')::numeric;
        IF v_tax ->> 'kind' = 'amount_per_unit' THEN
            v_shares := v_shares || 0::numeric;
            v_added := v_added || v_rate * p_quantity;
        ELSIF (v_tax ->> 'compound')::boolean THEN
            v_shares := v_shares || round(v_rate * 0.01 * (1 + v_share), 12);
            v_added := v_added || round(v_rate * 0.01 * v_add, 12);
        ELSE
            v_shares := v_shares || v_rate * 0.01;
            v_added := v_added || 0::numeric;
        END IF;
        v_share := v_share + v_shares[cardinality(v_shares)];
        v_add := v_add + v_added[cardinality(v_added)];
    END LOOP;
    -- Smallest units over one denominator; quotients of numeric would be rounded.
    v_over := CASE WHEN NOT v_included THEN 1 WHEN v_add > p_net THEN v_add ELSE 1 + v_share END;
    FOR i IN 1 .. cardinality(v_shares) LOOP
        v_parts := v_parts || v_scale * CASE
            WHEN NOT v_included THEN v_shares[i] * p_net + v_added[i]
            WHEN v_add > p_net THEN v_added[i] * p_net
            ELSE v_shares[i] * (p_net - v_add) + v_added[i] * (1 + v_share) END;
        v_units := v_units || div(v_parts[i], v_over);
    END LOOP;
    IF NOT v_included THEN
        v_rest := p_net * v_scale;
        v_whole := (SELECT round(sum(u.part)) FROM unnest(v_parts) AS u (part));
    ELSE
        v_rest := CASE WHEN v_add > p_net THEN 0
                       ELSE div(2 * (p_net - v_add) * v_scale + v_over, 2 * v_over) END;
        v_whole := p_net * v_scale - v_rest;
    END IF;
    FOR v_place IN
        SELECT u.n FROM unnest(v_parts, v_units) WITH ORDINALITY AS u (part, units, n)
        ORDER BY u.part - u.units * v_over DESC, u.n
        LIMIT greatest(v_whole - (SELECT coalesce(sum(s.units), 0) FROM unnest(v_units) AS s (units)), 0)
    LOOP
        v_units[v_place] := v_units[v_place] + 1;
    END LOOP;
    FOR i IN 1 .. cardinality(v_units) LOOP
        v_tax := p_taxes -> (i - 1);
        v_result := v_result || jsonb_build_array(v_tax || jsonb_build_object(
            'base', CASE WHEN v_tax ->> 'kind' = 'amount_per_unit' THEN stock.quantity_text(p_quantity)
                         WHEN (v_tax ->> 'compound')::boolean
                         THEN stock.money_text((v_rest + v_before) / v_scale, p_exponent)
                         ELSE stock.money_text(v_rest / v_scale, p_exponent) END,
            'amount', stock.money_text(v_units[i] / v_scale, p_exponent)));
        v_before := v_before + v_units[i];
    END LOOP;
    RETURN v_result;
END
$$;

-- The sum of the taxes of a line.
CREATE FUNCTION stock.line_tax(p_taxes jsonb) RETURNS numeric
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (SELECT sum((e.tax ->> 'amount')::numeric) FROM jsonb_array_elements(p_taxes) AS e (tax));

-- Bodies of sales ---------------------------------------------------------------------------------------------------------

-- The taxes of a line whose rate says it all. Put together as text, which has nothing to escape: a sale is answered by it.
CREATE FUNCTION stock.rate_taxes(p_rate numeric, p_included boolean, p_base numeric, p_tax numeric, p_exponent integer)
RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN format('[{"base":"%1$s","kind":"percent","name":"%2$s %%","rate":"%2$s","amount":"%3$s",'
              '"compound":false,"included":%4$s}]',
              round(p_base, p_exponent), trim_scale(p_rate), round(p_tax, p_exponent), p_included::text)::json;

-- The taxes of a sale whose lines have one rate, and no more than that.
CREATE FUNCTION stock.rate_sum(p_rate numeric, p_base numeric, p_tax numeric, p_exponent integer) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE
RETURN format('[{"name":"%1$s %%","kind":"percent","rate":"%1$s","base":"%2$s","amount":"%3$s"}]',
              trim_scale(p_rate), round(p_base, p_exponent), round(p_tax, p_exponent))::json;

-- The taxes of any sale: the sums of its lines by name, kind and rate, in the order in which they come up.
CREATE FUNCTION stock.tax_breakdown(p_tenant bigint, p_sale uuid, p_exponent integer) RETURNS json
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_sums json;
BEGIN
    SELECT json_agg(json_build_object(
               'name', b.name, 'kind', b.kind, 'rate', stock.quantity_text(b.rate),
               'base', CASE b.kind WHEN 'percent' THEN stock.money_text(b.base, p_exponent)
                                   ELSE stock.quantity_text(b.base) END,
               'amount', stock.money_text(b.amount, p_exponent)) ORDER BY b.place)
    INTO v_sums
    FROM (
        SELECT p.name, p.kind, p.rate, sum(p.base) AS base, sum(p.amount) AS amount, min(p.place) AS place
        FROM (
            SELECT stock.standard_tax_name(l.tax_rate) AS name, 'percent' AS kind, l.tax_rate AS rate,
                   l.total - l.tax AS base, l.tax AS amount, l.position * 16 AS place
            FROM stock.sale_line l
            WHERE l.tenant_id = p_tenant AND l.sale_id = p_sale AND l.taxes IS NULL
            UNION ALL
            SELECT e.tax ->> 'name', e.tax ->> 'kind', (e.tax ->> 'rate')::numeric, (e.tax ->> 'base')::numeric,
                   (e.tax ->> 'amount')::numeric, l.position * 16 + e.n
            FROM stock.sale_line l, jsonb_array_elements(l.taxes) WITH ORDINALITY AS e (tax, n)
            WHERE l.tenant_id = p_tenant AND l.sale_id = p_sale AND l.taxes IS NOT NULL) p
        GROUP BY p.name, p.kind, p.rate) b;
    RETURN v_sums;
END
$$;

-- A sale with its lines and the payments allocated to it. `change` is what was handed back when it was paid; a tip is told
-- where it was given. Without subqueries in its expressions, which would be gone through at each call.
CREATE OR REPLACE FUNCTION stock.sale_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT s.id, s.number, s.status, s.register_id, s.customer_id, s.user_id, s.note,
               stock.rfc3339(s.occurred_at) AS occurred_at, stock.rfc3339(s.recorded_at) AS recorded_at,
               s.business_day, g.lines,
               stock.money_text(s.subtotal, t.currency_exponent) AS subtotal,
               stock.money_text(s.discount, t.currency_exponent) AS discount,
               stock.money_text(s.tax, t.currency_exponent) AS tax,
               stock.money_text(s.total, t.currency_exponent) AS total,
               CASE WHEN g.is_plain
                    THEN stock.rate_sum(g.tax_rate, s.total - s.tax, s.tax, t.currency_exponent)
                    ELSE stock.tax_breakdown(s.tenant_id, s.id, t.currency_exponent) END AS tax_breakdown,
               stock.money_text(s.rounding, t.currency_exponent) AS rounding,
               stock.money_text(s.returned_total, t.currency_exponent) AS returned_total,
               stock.money_text(s.paid, t.currency_exponent) AS paid,
               stock.money_text(s.refunded, t.currency_exponent) AS refunded,
               stock.money_text(s.due, t.currency_exponent) AS due,
               stock.money_text(coalesce(m.change, 0), t.currency_exponent) AS change,
               coalesce(m.payments, '[]') AS payments, s.external_id, s.version
        FROM stock.sale s
        JOIN stock.tenant t ON t.id = s.tenant_id
        LEFT JOIN LATERAL (
            SELECT json_agg(b.line ORDER BY b.position) AS lines, min(b.tax_rate) AS tax_rate,
                   bool_and(b.is_plain) AND min(b.tax_rate) = max(b.tax_rate) AS is_plain
            FROM (
                SELECT l.position, l.tax_rate, l.taxes IS NULL AS is_plain, row_to_json(r) AS line
                FROM stock.sale_line l, LATERAL (
                    SELECT l.id, l.position, l.product_id, l.sku, l.name, l.unit,
                           stock.quantity_text(l.quantity) AS quantity,
                           stock.price_text(l.unit_price, t.currency_exponent) AS unit_price, l.price_source,
                           stock.money_text(l.discount + l.document_discount, t.currency_exponent) AS discount,
                           stock.quantity_text(l.tax_rate) AS tax_rate,
                           stock.money_text(l.tax, t.currency_exponent) AS tax,
                           CASE WHEN l.taxes IS NULL
                                THEN stock.rate_taxes(l.tax_rate, t.prices_include_tax, l.total - l.tax, l.tax,
                                                      t.currency_exponent)
                                ELSE l.taxes::json END AS taxes,
                           stock.money_text(l.total, t.currency_exponent) AS total,
                           stock.price_text(l.unit_cost, t.currency_exponent) AS unit_cost,
                           stock.quantity_text(l.returned_quantity) AS returned_quantity) r
                WHERE l.tenant_id = s.tenant_id AND l.sale_id = s.id) b) g ON true
        LEFT JOIN LATERAL (
            SELECT sum(b.taken) AS change, json_agg(b.payment ORDER BY b.id) AS payments FROM (
                SELECT p.id, CASE WHEN p.sale_id = s.id THEN p.change END AS taken, row_to_json(c) AS payment
                FROM stock.payment_allocation a
                JOIN stock.payment p ON p.tenant_id = a.tenant_id AND p.id = a.payment_id,
                LATERAL (SELECT p.id, p.direction, p.method,
                                stock.money_text(a.amount, t.currency_exponent) AS amount,
                                stock.money_text(CASE WHEN p.sale_id = s.id THEN p.tip ELSE 0 END, t.currency_exponent) AS tip,
                                stock.money_text(p.tendered, t.currency_exponent) AS tendered,
                                stock.money_text(p.change, t.currency_exponent) AS change, p.status,
                                stock.rfc3339(p.occurred_at) AS occurred_at) c
                WHERE a.tenant_id = s.tenant_id AND a.sale_id = s.id) b) m ON true
        WHERE s.tenant_id = p_tenant AND s.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Products -----------------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION stock.product_body(p_tenant bigint, p_id uuid) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_body text;
BEGIN
    SELECT row_to_json(r)::text INTO v_body FROM (
        SELECT p.id, p.sku,
               ARRAY(SELECT b.code FROM stock.product_barcode b
                     WHERE b.tenant_id = p.tenant_id AND b.product_id = p.id ORDER BY b.code) AS barcodes,
               p.name, p.category_id, p.unit_id,
               stock.price_text(p.price, t.currency_exponent) AS price,
               stock.price_text(l.cost, t.currency_exponent) AS cost,
               stock.quantity_text(p.tax_rate) AS tax_rate, p.tax_group_id,
               p.tracks_stock, p.oversell,
               stock.quantity_text(p.min_stock) AS min_stock, p.status,
               stock.quantity_text(l.on_hand) AS on_hand, p.external_id, p.version,
               stock.rfc3339(p.created_at) AS created_at, stock.rfc3339(p.updated_at) AS updated_at
        FROM stock.product p
        JOIN stock.stock_level l ON l.tenant_id = p.tenant_id AND l.product_id = p.id
        JOIN stock.tenant t ON t.id = p.tenant_id
        WHERE p.tenant_id = p_tenant AND p.id = p_id
    ) r;
    RETURN v_body;
END
$$;

-- Finds the products that the rows of a batch name and all that keeps a row from being applied: for each row the product,
-- NULL for a new one, and its errors as a JSON array with pointers inside the row, NULL if there are none. Planned anew for
-- each batch, so that the plan is one for the tables as they are.
CREATE FUNCTION stock.check_products(
    p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[], p_prices numeric[],
    p_tax_rates numeric[], p_tracked boolean[], p_min_stocks numeric[], p_groups uuid[],
    OUT products uuid[], OUT errors json[]
)
LANGUAGE plpgsql
SET plan_cache_mode = force_custom_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_unit     uuid;
    -- Made before the look-up, as all that follows: under row-level security an index serves comparisons with plain columns
    -- only; an expression, were it but coalesce(), might leak.
    v_keys     text[] := ARRAY(SELECT stock.folded(w.sku) FROM unnest(p_skus) WITH ORDINALITY AS w (sku, n) ORDER BY w.n);
BEGIN
    SELECT u.id INTO v_unit FROM stock.unit u WHERE u.tenant_id = v_tenant ORDER BY u.created_at, u.id LIMIT 1;
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(p_skus, v_keys, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates,
                             p_tracked, p_min_stocks, p_groups)
            WITH ORDINALITY AS w (sku, key, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                                  min_stock, tax_group_id, place)
    ), named AS MATERIALIZED (
        SELECT w.*,
               (SELECT e.id FROM stock.product e
                WHERE e.tenant_id = v_tenant AND e.external_id = w.external_id) AS by_external,
               (SELECT s.id FROM stock.product s WHERE s.tenant_id = v_tenant AND s.sku_key = w.key) AS by_sku
        FROM wanted w
    ), found AS MATERIALIZED (
        SELECT n.*, coalesce(n.by_external, n.by_sku) AS found_id FROM named n
    ), known AS MATERIALIZED (
        SELECT f.*, o.id AS product_id, o.unit_id AS old_unit, o.tracks_stock AS old_tracks, o.min_stock AS old_min_stock,
               coalesce(f.unit_id, o.unit_id, v_unit) AS new_unit
        FROM found f
        LEFT JOIN LATERAL (
            SELECT p.id, p.unit_id, p.tracks_stock, p.min_stock
            FROM stock.product p
            WHERE p.tenant_id = v_tenant AND p.id = f.found_id
            OFFSET 0
        ) o ON true
    ), placed AS MATERIALIZED (
        SELECT k.*,
               (SELECT u.decimals FROM stock.unit u WHERE u.tenant_id = v_tenant AND u.id = k.new_unit) AS decimals,
               k.category_id IS NULL OR EXISTS (
                   SELECT FROM stock.category c WHERE c.tenant_id = v_tenant AND c.id = k.category_id) AS has_category,
               k.tax_group_id IS NULL OR EXISTS (
                   SELECT FROM stock.tax_group g WHERE g.tenant_id = v_tenant AND g.id = k.tax_group_id) AS has_group,
               CASE WHEN k.tax_group_id IS NOT NULL AND k.tax_rate IS NOT NULL
                    THEN k.tax_rate IS DISTINCT FROM stock.tax_group_rate(v_tenant, k.tax_group_id)
                    ELSE false END AS has_other_rate,
               k.key IS NOT NULL AND row_number() OVER (PARTITION BY k.key ORDER BY k.place) > 1
               OR k.external_id IS NOT NULL AND row_number() OVER (PARTITION BY k.external_id ORDER BY k.place) > 1
               OR k.product_id IS NOT NULL AND row_number() OVER (PARTITION BY k.product_id ORDER BY k.place) > 1
                   AS is_twin,
               CASE WHEN k.unit_id <> k.old_unit OR k.tracks_stock <> k.old_tracks
                    THEN stock.product_is_named(k.product_id) ELSE false END AS is_fixed
        FROM known k
    ), judged AS MATERIALIZED (
        SELECT p.*, p.product_id IS NULL AND p.name IS NULL AS lacks_name,
               p.product_id IS NULL AND p.price IS NULL AS lacks_price,
               p.decimals IS NULL AS lacks_unit, p.by_external <> p.by_sku AS has_others_sku,
               min_scale(coalesce(p.min_stock, p.old_min_stock)) > p.decimals AS is_too_fine,
               p.price >= 1000000000000 AS has_large_price, p.tax_rate >= 1000 AS has_large_rate,
               p.min_stock >= 1000000000000 AS has_large_stock
        FROM placed p
    )
    SELECT array_agg(p.product_id ORDER BY p.place),
           -- Most rows are fine: only for others a list is made.
           array_agg(CASE WHEN p.lacks_name OR p.lacks_price OR p.lacks_unit OR p.has_others_sku OR p.is_too_fine
                               OR p.has_large_price OR p.has_large_rate OR p.has_large_stock OR NOT p.has_category
                               OR NOT p.has_group OR p.has_other_rate
                               OR p.is_twin OR p.is_fixed THEN (
               SELECT json_agg(json_build_object('pointer', v.field, 'code', v.code, 'detail', v.sentence) ORDER BY v.n)
               FROM (VALUES
                   (1, p.lacks_name, '/name', 'required', 'A new product needs a name.'),
                   (2, p.lacks_price, '/price', 'required', 'A new product needs a price.'),
                   (3, p.has_large_price, '/price', 'out_of_range', 'Must be below 1000000000000.'),
                   (4, p.has_large_rate, '/tax_rate', 'out_of_range', 'Must be below 1000.'),
                   (5, p.has_large_stock, '/min_stock', 'out_of_range', 'Must be below 1000000000000.'),
                   (6, p.lacks_unit, '/unit_id', 'not_found', 'There is no such unit.'),
                   (7, NOT p.has_category, '/category_id', 'not_found', 'There is no such category.'),
                   (8, NOT p.has_group, '/tax_group_id', 'not_found', 'There is no such tax group.'),
                   (9, p.has_group AND p.has_other_rate, '/tax_rate', 'invalid_state',
                    'The tax group has another rate; give one of the two.'),
                   (10, p.is_too_fine, '/min_stock', 'quantity_precision',
                    format('The unit allows %s decimals.', p.decimals)),
                   (11, p.has_others_sku, '/sku', 'duplicate', 'Another product has this SKU.'),
                   (12, p.is_twin, '', 'duplicate', 'The product is named twice.'),
                   (13, p.is_fixed AND p.unit_id <> p.old_unit, '/unit_id', 'invalid_state',
                    'A document names the product: its unit is fixed.'),
                   (14, p.is_fixed AND p.tracks_stock <> p.old_tracks, '/tracks_stock', 'invalid_state',
                    'A document names the product: whether it tracks stock is fixed.')
               ) AS v (n, holds, field, code, sentence)
               WHERE v.holds
           ) END ORDER BY p.place)
    INTO products, errors
    FROM judged p;
END
$$;

-- Makes and changes the products of a batch. A row is found by its external id, else by its SKU, and makes a product if
-- neither is there; what is NULL keeps its value or takes the default. p_barcodes: a JSON array of texts for each row, NULL
-- keeps those that are there. Rows that can not be applied refuse the whole batch with all their errors; with p_skips they
-- are left out and answered with their errors. An unchanged row writes nothing.
--
-- Batches of a tenant follow each other, so that two of the same products neither meet as duplicates nor wait for each
-- other in opposite orders. Whoever makes one of the products alone meanwhile makes the batch worth repeating.
CREATE FUNCTION stock.upsert_products(
    p_ids uuid[], p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[],
    p_prices numeric[], p_tax_rates numeric[], p_tracked boolean[], p_oversell text[], p_min_stocks numeric[],
    p_statuses text[], p_barcodes text[], p_groups uuid[], p_skips boolean
)
RETURNS TABLE (place integer, outcome text, id uuid, sku text, external_id text, version bigint, errors json)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
#variable_conflict use_column
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_unit     uuid;
    v_products uuid[];
    v_errors   json[];
    v_targets  uuid[];
    -- Products whose barcodes changed, and all that were written.
    v_touched  uuid[];
    v_written  uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('stock.products', v_tenant));
    SELECT c.products, c.errors INTO v_products, v_errors
    FROM stock.check_products(p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates, p_tracked,
                              p_min_stocks, p_groups) c;
    IF NOT p_skips THEN
        PERFORM stock.refuse('validation_failed', 'Some products can not be applied.',
                             json_agg(json_build_object('pointer', '/products/' || (w.n - 1) || (e.error ->> 'pointer'),
                                                        'code', e.error -> 'code', 'detail', e.error -> 'detail')
                                      ORDER BY w.n))
        FROM unnest(v_errors) WITH ORDINALITY AS w (errors, n), json_array_elements(w.errors) AS e (error)
        HAVING count(*) > 0;
    END IF;
    SELECT u.id INTO v_unit FROM stock.unit u WHERE u.tenant_id = v_tenant ORDER BY u.created_at, u.id LIMIT 1;
    -- The product of each row: found, new, or NULL for a row that is left out.
    v_targets := ARRAY(
        SELECT CASE WHEN w.errors IS NULL THEN coalesce(w.product_id, w.id) END
        FROM unnest(p_ids, v_products, v_errors) WITH ORDINALITY AS w (id, product_id, errors, n) ORDER BY w.n);

    -- Barcodes of the known products whose rows name them become exactly these; found by place, as nothing moves them.
    EXECUTE $sql$
        WITH wanted AS MATERIALIZED (
            SELECT w.target, stock.barcode_set(w.barcodes) AS codes
            FROM unnest($2, $3, $4) AS w (target, product_id, barcodes)
            WHERE w.target = w.product_id AND w.barcodes IS NOT NULL
        ), gone AS (
            DELETE FROM stock.product_barcode b
            WHERE b.ctid = ANY (ARRAY(
                SELECT o.place FROM wanted w, LATERAL (
                    SELECT x.ctid AS place FROM stock.product_barcode x
                    WHERE x.tenant_id = $1 AND x.product_id = w.target AND NOT x.code = ANY (w.codes) OFFSET 0) o))
              AND b.tenant_id = $1
            RETURNING b.product_id
        ), added AS (
            INSERT INTO stock.product_barcode (tenant_id, product_id, code)
            SELECT $1, w.target, c.code FROM wanted w, unnest(w.codes) AS c (code)
            ON CONFLICT DO NOTHING
            RETURNING product_id
        )
        SELECT ARRAY(SELECT g.product_id FROM gone g UNION SELECT a.product_id FROM added a)
    $sql$ INTO v_touched USING v_tenant, v_targets, v_products, p_barcodes;

    -- A row that changes something is locked and looked at again, so that a field it does not name keeps what others may
    -- have written meanwhile; ON CONFLICT finds it by the key's own index, whatever a plan would.
    EXECUTE $sql$
        WITH wanted AS MATERIALIZED (
            SELECT r.target, r.product_id IS NOT NULL AS is_known, normalize(r.sku, NFC) AS sku, r.external_id,
                   normalize(r.name, NFC) AS name, r.category_id, r.unit_id, r.price, r.tax_rate, r.tracks_stock,
                   r.oversell, r.min_stock, r.status, r.tax_group_id
            FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $17)
                AS r (target, product_id, sku, external_id, name, category_id, unit_id, price, tax_rate, tracks_stock,
                      oversell, min_stock, status, tax_group_id)
            WHERE r.target IS NOT NULL
        ), changed AS MATERIALIZED (
            SELECT o.*
            FROM (SELECT * FROM wanted k WHERE k.is_known ORDER BY k.target) w, LATERAL (
                SELECT p.id, coalesce(w.sku, p.sku) AS sku, coalesce(w.external_id, p.external_id) AS external_id,
                       coalesce(w.name, p.name) AS name, coalesce(w.category_id, p.category_id) AS category_id,
                       coalesce(w.unit_id, p.unit_id) AS unit_id, coalesce(w.price, p.price) AS price,
                       coalesce(w.tax_rate, p.tax_rate) AS tax_rate,
                       coalesce(w.tracks_stock, p.tracks_stock) AS tracks_stock,
                       coalesce(w.oversell, p.oversell) AS oversell, coalesce(w.min_stock, p.min_stock) AS min_stock,
                       coalesce(w.status, p.status) AS status,
                       -- Another rate alone takes the group of that rate.
                       coalesce(w.tax_group_id, CASE WHEN w.tax_rate IS NULL OR w.tax_rate = p.tax_rate
                                                     THEN p.tax_group_id END) AS tax_group_id
                FROM stock.product p
                WHERE p.tenant_id = $1 AND p.id = w.target
                  AND (p.id = ANY ($16)
                       OR (p.sku, p.external_id, p.name, p.category_id, p.unit_id, p.price, p.tax_rate, p.tracks_stock,
                           p.oversell, p.min_stock, p.status, p.tax_group_id)
                          IS DISTINCT FROM
                          (coalesce(w.sku, p.sku), coalesce(w.external_id, p.external_id), coalesce(w.name, p.name),
                           coalesce(w.category_id, p.category_id), coalesce(w.unit_id, p.unit_id),
                           coalesce(w.price, p.price), coalesce(w.tax_rate, p.tax_rate),
                           coalesce(w.tracks_stock, p.tracks_stock), coalesce(w.oversell, p.oversell),
                           coalesce(w.min_stock, p.min_stock), coalesce(w.status, p.status),
                           coalesce(w.tax_group_id, p.tax_group_id)))
                FOR NO KEY UPDATE
            ) o
        ), written AS (
            INSERT INTO stock.product AS p (tenant_id, id, sku, external_id, name, category_id, unit_id, price, tax_rate,
                                            tracks_stock, oversell, min_stock, status, tax_group_id)
            SELECT $1, w.target, w.sku, w.external_id, w.name, w.category_id, coalesce(w.unit_id, $2), w.price,
                   w.tax_rate, coalesce(w.tracks_stock, true), coalesce(w.oversell, 'inherit'),
                   coalesce(w.min_stock, 0), coalesce(w.status, 'active'), w.tax_group_id
            FROM wanted w
            WHERE NOT w.is_known
            UNION ALL
            SELECT $1, c.id, c.sku, c.external_id, c.name, c.category_id, c.unit_id, c.price, c.tax_rate, c.tracks_stock,
                   c.oversell, c.min_stock, c.status, c.tax_group_id
            FROM changed c
            ON CONFLICT (tenant_id, id) DO UPDATE
            SET sku = excluded.sku, external_id = excluded.external_id, name = excluded.name,
                category_id = excluded.category_id, unit_id = excluded.unit_id, price = excluded.price,
                tax_rate = excluded.tax_rate, tracks_stock = excluded.tracks_stock, oversell = excluded.oversell,
                min_stock = excluded.min_stock, status = excluded.status, tax_group_id = excluded.tax_group_id,
                version = p.version + 1, updated_at = now()
            RETURNING p.id
        )
        SELECT ARRAY(SELECT w.id FROM written w)
    $sql$ INTO v_written
    USING v_tenant, v_unit, v_targets, v_products, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices,
          p_tax_rates, p_tracked, p_oversell, p_min_stocks, p_statuses, v_touched, p_groups;

    INSERT INTO stock.product_barcode (tenant_id, product_id, code)
    SELECT v_tenant, w.id, c.code
    FROM unnest(p_ids, v_targets, p_barcodes) AS w (id, target, barcodes), unnest(stock.barcode_set(w.barcodes)) AS c (code)
    WHERE w.target = w.id;

    RETURN QUERY EXECUTE $sql$
        SELECT (w.n - 1)::integer,
               CASE WHEN w.target IS NULL THEN 'refused' WHEN w.target = w.id THEN 'created'
                    WHEN w.target = ANY ($5) THEN 'updated' ELSE 'unchanged' END,
               o.id, o.sku, o.external_id, o.version, w.errors
        FROM unnest($2, $3, $4) WITH ORDINALITY AS w (id, target, errors, n)
        LEFT JOIN LATERAL (
            SELECT p.id, p.sku, p.external_id, p.version FROM stock.product p
            WHERE p.tenant_id = $1 AND p.id = w.target
            OFFSET 0
        ) o ON true
        ORDER BY w.n
    $sql$ USING v_tenant, p_ids, v_targets, v_errors, v_written;
EXCEPTION
    WHEN unique_violation THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure',
            MESSAGE = 'One of the products was made by somebody else meanwhile.';
END
$$;

-- As the binary before calls it.
CREATE OR REPLACE FUNCTION stock.upsert_products(
    p_ids uuid[], p_skus text[], p_external_ids text[], p_names text[], p_categories uuid[], p_units uuid[],
    p_prices numeric[], p_tax_rates numeric[], p_tracked boolean[], p_oversell text[], p_min_stocks numeric[],
    p_statuses text[], p_barcodes text[], p_skips boolean
)
RETURNS TABLE (place integer, outcome text, id uuid, sku text, external_id text, version bigint, errors json)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
BEGIN
    RETURN QUERY SELECT u.* FROM stock.upsert_products(
        p_ids, p_skus, p_external_ids, p_names, p_categories, p_units, p_prices, p_tax_rates, p_tracked, p_oversell,
        p_min_stocks, p_statuses, p_barcodes, array_fill(NULL::uuid, ARRAY[cardinality(p_ids)]), p_skips) u;
END
$$;
DROP FUNCTION stock.check_products(text[], text[], text[], uuid[], uuid[], numeric[], numeric[], boolean[], numeric[]);

-- Imports ------------------------------------------------------------------------------------------------------------------

-- Finds the file's SKUs among the products: import_product has a row per spelling of the file.
CREATE OR REPLACE FUNCTION stock.import_find_products() RETURNS void
LANGUAGE plpgsql
SET client_min_messages = warning SET enable_seqscan = on SET work_mem = '64MB' AS $$
DECLARE
    v_includes boolean;
BEGIN
    SELECT t.prices_include_tax INTO STRICT v_includes FROM stock.tenant t WHERE t.id = stock.current_tenant();
    DROP TABLE IF EXISTS pg_temp.import_product;
    CREATE TEMPORARY TABLE import_product AS
    SELECT f.ordinal AS sku, f.key, p.id AS product_id, p.sku AS product_sku, p.name, p.price,
           -- Not both: the binary before would take the rate for all.
           CASE WHEN g.taxes IS NULL THEN p.tax_rate END AS tax_rate, p.tracks_stock,
           p.status, u.symbol AS unit, u.decimals, v.cost, g.taxes
    FROM (SELECT s.ordinal, stock.folded(s.sku) AS key FROM pg_temp.import_sku s) f
    LEFT JOIN stock.product p ON p.tenant_id = stock.current_tenant() AND p.sku_key = f.key
    LEFT JOIN stock.unit u ON u.tenant_id = p.tenant_id AND u.id = p.unit_id
    LEFT JOIN stock.stock_level v ON v.tenant_id = p.tenant_id AND v.product_id = p.id
    -- A shop has few groups, each of which is read once.
    LEFT JOIN (SELECT o.id, stock.group_taxes(o.tenant_id, o.id, v_includes) AS taxes FROM stock.tax_group o
               WHERE o.tenant_id = stock.current_tenant() OFFSET 0) g ON g.id = p.tax_group_id;
    CREATE UNIQUE INDEX ON pg_temp.import_product (sku);
    ANALYZE pg_temp.import_product;
END
$$;

DROP FUNCTION stock.import_rows(integer, integer, boolean);
-- The rows that go in of the documents p_first to p_last, with their amounts, in the order of the file. p_returns: those
-- of returns, of sales, or (NULL) of both. A row's document, line and product are found by their keys, however long the
-- file is.
CREATE FUNCTION stock.import_rows(p_first integer, p_last integer, p_returns boolean)
RETURNS TABLE (document integer, place integer, line integer, is_return boolean, document_id uuid,
               occurred_at timestamptz, business_day date, product_id uuid, sku text, name text, unit text,
               tracks_stock boolean, quantity numeric, unit_price numeric, price_source text, tax_rate numeric,
               gross numeric, tax numeric, total numeric, id uuid, movement_id uuid, cost numeric, taxes jsonb)
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET enable_material = off
SET enable_bitmapscan = off AS $$
#variable_conflict use_column
DECLARE
    v_includes boolean;
    v_exponent integer;
BEGIN
    SELECT t.prices_include_tax, t.currency_exponent INTO STRICT v_includes, v_exponent
    FROM stock.tenant t WHERE t.id = stock.current_tenant();
    RETURN QUERY
    SELECT g.document, l.position, l.line, g.is_return, g.id, g.occurred_at, g.business_day, p.product_id,
           p.product_sku, p.name, p.unit, p.tracks_stock, l.quantity, l.unit_price,
           CASE WHEN l.unit_price = p.price THEN 'list' ELSE 'override' END,
           CASE WHEN y.taxes IS NULL THEN p.tax_rate
                WHEN jsonb_array_length(y.taxes) = 1 AND y.taxes -> 0 ->> 'kind' = 'percent'
                THEN (y.taxes -> 0 ->> 'rate')::numeric END,
           a.gross, coalesce(stock.line_tax(y.taxes), x.tax),
           CASE WHEN y.taxes IS NOT NULL
                THEN CASE WHEN (y.taxes -> 0 ->> 'included')::boolean THEN a.gross
                          ELSE a.gross + stock.line_tax(y.taxes) END
                WHEN v_includes THEN a.gross ELSE a.gross + x.tax END, l.id, l.movement_id, p.cost, y.taxes
    FROM pg_temp.import_going g
    JOIN pg_temp.import_line l ON l.document = g.document
    JOIN pg_temp.import_product p ON p.sku = l.sku
    CROSS JOIN LATERAL (SELECT round(l.quantity * l.unit_price, v_exponent) AS gross OFFSET 0) a
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p.tax_rate = 0 THEN 0
                    WHEN v_includes THEN a.gross - round(a.gross / (1 + p.tax_rate / 100), v_exponent)
                    ELSE round(a.gross * p.tax_rate / 100, v_exponent) END AS tax OFFSET 0) x
    CROSS JOIN LATERAL (
        SELECT CASE WHEN p.taxes IS NOT NULL
                    THEN stock.line_taxes(p.taxes, a.gross, l.quantity, v_exponent) END AS taxes OFFSET 0) y
    WHERE g.document BETWEEN p_first AND p_last AND (p_returns IS NULL OR g.is_return = p_returns)
    ORDER BY g.document, l.position;
END
$$;

-- The first half of a chunk, one statement: its sales as drafts, their lines, the money they were paid with, and what it
-- will move. It waits for no level and no number, so that two sessions do it side by side; totals have a row for each.
CREATE OR REPLACE FUNCTION stock.import_draft(p_first integer, p_last integer, p_method text) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = on SET enable_mergejoin = off SET work_mem = '64MB'
-- Foreign keys are checked by statements whose plans are kept: never plan them anew for every row. Without statistics all
-- indexes that begin with the tenant look alike, unless pages cost so little that the key's one row counts.
SET plan_cache_mode = force_generic_plan SET random_page_cost = 0.01 SET seq_page_cost = 0.01 AS $$
DECLARE
    v_tenant   bigint := stock.current_tenant();
    v_register uuid;
    v_postings stock.posting[];
BEGIN
    SELECT r.id INTO STRICT v_register FROM stock.register r WHERE r.tenant_id = v_tenant AND r.is_default;
    WITH part AS MATERIALIZED (
        SELECT * FROM stock.import_rows(p_first, p_last, NULL)
    ), step AS (
        INSERT INTO pg_temp.import_step (document, kind, document_id, occurred_at, business_day, product_id, id, quantity,
                                         cost)
        SELECT r.document, CASE WHEN r.is_return THEN 'return' ELSE 'sale' END, r.document_id, r.occurred_at,
               r.business_day, r.product_id, (array_agg(r.movement_id ORDER BY r.place))[1],
               sum(CASE WHEN r.is_return THEN r.quantity ELSE -r.quantity END), min(r.cost)
        FROM part r
        WHERE r.tracks_stock
        GROUP BY r.document, r.is_return, r.document_id, r.occurred_at, r.business_day, r.product_id
    ), total AS (
        SELECT r.document, sum(r.gross) AS gross, sum(r.tax) AS tax, sum(r.total) AS total
        FROM part r WHERE NOT r.is_return GROUP BY r.document
    ), document AS MATERIALIZED (
        SELECT g.*, t.gross, t.tax, t.total
        FROM total t JOIN pg_temp.import_going g ON g.document = t.document AND g.document BETWEEN p_first AND p_last
        ORDER BY g.document
    ), sale AS (
        INSERT INTO stock.sale (tenant_id, id, register_id, status, occurred_at, business_day, subtotal, discount, tax,
                                total, due, external_id)
        SELECT v_tenant, d.id, v_register, 'draft', d.occurred_at, d.business_day, d.gross, 0, d.tax, d.total, 0,
               d.external_id
        FROM document d
    ), line AS (
        INSERT INTO stock.sale_line (tenant_id, id, sale_id, position, product_id, sku, name, unit, quantity, unit_price,
                                     price_source, tax_rate, tax, total, unit_cost, taxes)
        SELECT v_tenant, r.id, r.document_id, r.place, r.product_id, r.sku, r.name, r.unit, r.quantity, r.unit_price,
               r.price_source, r.tax_rate, r.tax, r.total, r.cost, r.taxes
        FROM part r WHERE NOT r.is_return
    )
    -- What was sold was paid in full: as the file says, else by the method the operator names.
    SELECT array_agg(ROW(d.payment_id, d.ledger_id, 'in', 'sale', coalesce(d.method, p_method), d.total, NULL, d.id, NULL,
                         NULL, NULL, d.occurred_at, d.business_day)::stock.posting ORDER BY d.document)
    INTO v_postings
    FROM document d WHERE d.total > 0;
    PERFORM stock.post_money(v_postings);
    -- What waits for the end of the transaction otherwise, when the other session waits too.
    SET CONSTRAINTS ALL IMMEDIATE;
END
$$;

-- A second session, which writes every other chunk: the tables its chunks are copied into.
CREATE OR REPLACE FUNCTION stock.import_second_open() RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM stock.import_forget();
    PERFORM stock.import_make_steps();
    CREATE TEMPORARY TABLE import_going (
        document      integer NOT NULL,
        is_return     boolean NOT NULL,
        external_id   text NOT NULL,
        id            uuid NOT NULL,
        payment_id    uuid NOT NULL,
        ledger_id     uuid NOT NULL,
        occurred_at   timestamptz NOT NULL,
        business_day  date NOT NULL,
        method        text,
        rows          bigint NOT NULL
    );
    CREATE TEMPORARY TABLE import_product (
        sku           integer NOT NULL,
        product_id    uuid NOT NULL,
        product_sku   text,
        name          text NOT NULL,
        price         numeric NOT NULL,
        tax_rate      numeric,
        tracks_stock  boolean NOT NULL,
        unit          text NOT NULL,
        cost          numeric NOT NULL,
        taxes         jsonb,
        -- The binary before copies rates alone.
        CHECK (tax_rate IS NOT NULL OR taxes IS NOT NULL)
    );
    CREATE TEMPORARY TABLE import_line (
        document      integer NOT NULL,
        sku           integer NOT NULL,
        line          integer NOT NULL,
        quantity      numeric NOT NULL,
        unit_price    numeric NOT NULL,
        id            uuid NOT NULL,
        movement_id   uuid NOT NULL,
        position      integer NOT NULL
    );
END
$$;
