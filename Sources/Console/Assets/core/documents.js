/** Documents with lines that go from draft to done: purchases and transfers have the same form. */
import { ask, h, openDialog, say } from './elements.js';
import { linesEditor } from './lines.js';
import { stock } from './live.js';
import { t } from './words.js';

/**
 * Writes a document, or changes a draft.
 *
 * @param {{path: string, title: string, fields: object[], columns: string[], before?: object, etag?: string}} what
 * @returns {Promise<object | undefined>} the document
 */
export function writeDocument({ path, title, fields, columns, before, etag }) {
  return openDialog(title, (close) => {
    const lines = linesEditor(columns, before?.lines ?? []);
    const form = h('record-form', { '.spec': {
      fields, values: before ?? {}, label: t('save'),
      submit: async (given, changed, key) => {
        const body = { ...Object.fromEntries(Object.entries(given).filter(([name, value]) => value !== null || before?.[name])), lines: lines.read() };
        const { body: made } = before ? await stock.request('PATCH', path, { body, match: etag }) : await stock.request('POST', path, { body, key });
        say(t('saved'));
        close(made);
      },
    } });
    return [lines, form];
  }, { wide: true });
}

/** Asks how much of each open line came. @returns {Promise<object | undefined>} the document as it is then */
export function receive(path, lines) {
  const open = lines.map((line) => ({ ...line, left: line.open_quantity ?? undefined }));
  return ask(t('receive'), open.map((line) => ({ name: line.id, label: line.name, type: 'decimal' })), {
    label: t('receive'), intro: t('receive_intro'), values: Object.fromEntries(open.map((line) => [line.id, line.left])),
    submit: async (given, changed, key) => {
      const received = await stock.post(`${path}/receive`, { lines: open.filter((line) => Number(given[line.id])).map((line) => ({ line_id: line.id, quantity: given[line.id] })) }, { key });
      say(t('received_now'));
      return received;
    },
  });
}
