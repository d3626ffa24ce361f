-- A file names customers and suppliers by what they are called or by their `external_id`. A name is kept with every blank and joiner that
-- it has, and is looked for so; an `external_id` is a code, in which a run of blanks is one, and is looked for as such.
CALL stock.amend('import_named', $$SELECT n.place, n.name, stock.folded(n.name) AS key,$$,
                 $$SELECT n.place, stock.code_text(n.name) AS code, stock.folded(n.name) AS key,$$);
CALL stock.amend('import_named', $$b.external_id = w.name$$, $$b.external_id = w.code$$);
