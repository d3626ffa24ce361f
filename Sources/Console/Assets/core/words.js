/** Words, money and days in the reader's language. Words are called as the API calls what they name: the label of `tax_rate` is `tax_rate`. */

import table from '../dictionary.js';

export const languages = { en: 'English', es: 'Español', pt: 'Português', de: 'Deutsch' };

let words = {};
let tag = 'en';
let money = { currency: 'EUR', decimals: 2 };
let zone = 'UTC';

/** Learns a language. @param {string} language one of `languages` */
export function speak(language) {
  const place = Object.keys(languages).indexOf(language);
  words = Object.fromEntries(table.trim().split('\n').flatMap((line) => {
    const [names, texts] = line.split(' = ');
    const text = texts.split('|').slice(0, place + 1).findLast((one) => one !== '"');
    return names.split(' ').map((name) => [name, text]);
  }));
  // The reader's own variety of it, as de-AT, if the browser has one.
  tag = navigator.languages.find((one) => one.split('-')[0] === language) ?? language;
  document.documentElement.lang = language;
}

/** The language that is spoken: the one that was chosen, else the first of the browser's that is here. */
export function chosenLanguage() {
  const chosen = localStorage.getItem('stock.language');
  return [chosen, ...navigator.languages.map((one) => one.split('-')[0])].find((one) => one in languages) ?? 'en';
}

/** Learns where the shop is. @param {{currency: string, timezone: string}} tenant */
export function settle(tenant) {
  const format = new Intl.NumberFormat('en', { style: 'currency', currency: tenant.currency });
  money = { currency: tenant.currency, decimals: format.resolvedOptions().maximumFractionDigits };
  zone = tenant.timezone;
}

export const currency = () => money;

/**
 * A text by its name, with what its braces name; of "one / several" the one that `n` asks for. `unit_id` and `l1_hits` are called
 * as `unit` and `l1` are, unless they have names of their own.
 */
export function t(name, values) {
  let text = words[name] ?? words[name.replace(/_(location_id|id|quantity|total|hits|exceeded)$/, '')] ?? name.replaceAll('_', ' ');
  if (text.includes(' / ')) text = text.split(' / ')[Number(values?.n) === 1 ? 0 : 1];
  return values ? text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? '') : text;
}

/** Whether there is such a text. */
export const isWord = (name) => name in words;

const made = new Map();
/** Formats are costly to make, and few. */
function format(kind, options) {
  const key = JSON.stringify([kind.name, tag, options]);
  if (!made.has(key)) made.set(key, new kind(tag, options));
  return made.get(key);
}

// Texts are given to Intl as they are, which reads them exactly.

/** An amount in the shop's currency. */
export const amount = (value) =>
  value === null || value === undefined || value === ''
    ? ''
    : format(Intl.NumberFormat, { style: 'currency', currency: money.currency }).format(value);

/** A price, which may be finer than the currency. */
export const price = (value) =>
  value === null || value === undefined
    ? ''
    : format(Intl.NumberFormat, {
        style: 'currency', currency: money.currency, minimumFractionDigits: money.decimals, maximumFractionDigits: 6,
      }).format(value);

/** A quantity or a count. */
export const number = (value) =>
  value === null || value === undefined ? '' : format(Intl.NumberFormat, { maximumFractionDigits: 6 }).format(value);

/** Percent, as the API has it: 19 is 19 %. */
export const percent = (value) => (value === null || value === undefined ? '' : `${number(value)} %`);

/** A large amount in few letters, for the axis of a plot. */
export const brief = (value) => format(Intl.NumberFormat, { notation: 'compact', maximumFractionDigits: 1 }).format(value);

/** A number as somebody would type it. */
export const plain = (value) =>
  value === null || value === undefined
    ? ''
    : format(Intl.NumberFormat, { maximumFractionDigits: 6, useGrouping: false }).format(value);

/** A day, "2026-01-31". */
export const day = (value) =>
  value ? format(Intl.DateTimeFormat, { dateStyle: 'medium', timeZone: 'UTC' }).format(new Date(`${value}T00:00:00Z`)) : '';

/** A moment, at the shop's time. */
export const moment = (value) =>
  value ? format(Intl.DateTimeFormat, { dateStyle: 'short', timeStyle: 'short', timeZone: zone }).format(new Date(value)) : '';

/** The time of a moment. */
export const clock = (value, seconds = false) =>
  format(Intl.DateTimeFormat, { timeStyle: seconds ? 'medium' : 'short', timeZone: zone }).format(new Date(value));

/** The name of a period of the balance: a day, the Monday of a week, a month, a year. */
export function period(value) {
  if (/^\d{4}-\d{2}$/.test(value)) {
    const date = new Date(`${value}-01T00:00:00Z`);
    return format(Intl.DateTimeFormat, { month: 'short', year: '2-digit', timeZone: 'UTC' }).format(date);
  }
  if (/^\d{4}-\d{2}-\d{2}$/.test(value)) {
    const date = new Date(`${value}T00:00:00Z`);
    return format(Intl.DateTimeFormat, { day: 'numeric', month: 'short', timeZone: 'UTC' }).format(date);
  }
  return value;
}

/** Today in the shop, "2026-01-31", or so many days before. */
export function today(before = 0) {
  const date = new Date(Date.now() - before * 86_400_000);
  return new Intl.DateTimeFormat('en-CA', { timeZone: zone }).format(date);
}

/** What a problem says, in one sentence: in the reader's language where its code has one, else as the service puts it. */
export function complaint(error) {
  if (error?.name === 'Unreachable') return t('unreachable');
  if (error?.name !== 'Problem') return t('defect');
  return isWord(`problem_${error.code}`) ? t(`problem_${error.code}`) : error.detail;
}
