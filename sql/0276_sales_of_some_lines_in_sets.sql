-- Goods of three products or more move in sets (0044): since what levels are worth is a sum of each statement, a level that is written by
-- a statement of its own costs a sum of its own. docs/decisions/0059-what-a-million-sales-still-cost.md tells what was measured.
CALL stock.amend('move_stock', 'cardinality(p_moves) > 20', 'cardinality(p_moves) > 2');
