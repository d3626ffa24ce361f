-- Names beside ids: a document with what those are called whom it names, for screens that show a list without asking for each.

-- A body with the names of some of what it names; who is not there, or is nobody, is null. p_names: of which, customer, user, register.
CREATE FUNCTION stock.named(p_body json, p_names text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
DECLARE
    v_tenant bigint := stock.current_tenant();
    v_text   text := left(p_body::text, -1);
BEGIN
    IF 'customer' = ANY (p_names) THEN
        v_text := v_text || ',"customer":' || coalesce(
            (SELECT row_to_json(n)::text FROM (
                SELECT c.id, c.name FROM stock.customer c
                WHERE c.tenant_id = v_tenant AND c.id = (p_body ->> 'customer_id')::uuid) n), 'null');
    END IF;
    IF 'user' = ANY (p_names) THEN
        v_text := v_text || ',"user":' || coalesce(
            (SELECT row_to_json(n)::text FROM (
                SELECT m.user_id AS id, stock.colleague_name(v_tenant, m.user_id) AS name FROM stock.membership m
                WHERE m.tenant_id = v_tenant AND m.user_id = (p_body ->> 'user_id')::uuid) n), 'null');
    END IF;
    IF 'register' = ANY (p_names) THEN
        v_text := v_text || ',"register":' || coalesce(
            (SELECT row_to_json(n)::text FROM (
                SELECT g.id, g.name FROM stock.register g
                WHERE g.tenant_id = v_tenant AND g.id = (p_body ->> 'register_id')::uuid) n), 'null');
    END IF;
    RETURN v_text || '}';
END
$$;

-- The same for the members of a page, which are joined by commas.
CREATE FUNCTION stock.named_members(p_data text, p_names text[]) RETURNS text
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT string_agg(stock.named(m.body, p_names), ',' ORDER BY m.place)
            FROM json_array_elements(('[' || p_data || ']')::json) WITH ORDINALITY AS m (body, place));
END
$$;
