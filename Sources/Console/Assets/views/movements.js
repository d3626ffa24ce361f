/** Goods that come or go without a document. */
import { ask, say } from '../core/elements.js';
import { placeField, productField } from '../core/finding.js';
import { stock } from '../core/live.js';
import { filled } from '../core/records.js';
import { t } from '../core/words.js';

/** Asks what moves, and moves it. @param {object=} product if it is known already */
export function moveGoods(product) {
  return ask(t('move_goods'), [
    productField, 'type! choice adjustment loss opening', { name: 'quantity', type: 'decimal', required: true, hint: 'movement_hint' },
    placeField(), 'reason! text', 'unit_cost decimal',
  ], {
    values: { product: product ?? null },
    submit: async ({ product: id, ...given }, changed, key) => {
      const movement = filled({ product_id: id, ...given });
      try {
        await stock.post('/v1/stock/movements', { movements: [movement] }, { key });
        say(t('saved'));
      } catch (error) {
        for (const one of error.errors ?? []) one.pointer = one.pointer?.replace(/^\/movements\/0/, '').replace('/product_id', '/product');
        throw error;
      }
    },
  });
}
