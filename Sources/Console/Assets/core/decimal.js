/** Numbers of the shop: texts with a decimal point, computed exactly. Never a number of JavaScript, in which 0.1 does not exist. */

const form = /^-?\d+(\.\d+)?$/;

function parts(text) {
  const [whole, fraction = ''] = String(text ?? '0').split('.');
  return { units: BigInt(whole + fraction || '0'), scale: fraction.length };
}

function text(units, scale) {
  const digits = (units < 0n ? -units : units).toString().padStart(scale + 1, '0');
  const cut = digits.length - scale;
  return (units < 0n ? '-' : '') + digits.slice(0, cut) + (scale ? `.${digits.slice(cut)}` : '');
}

function aligned(a, b) {
  const [left, right] = [parts(a), parts(b)];
  const scale = Math.max(left.scale, right.scale);
  return [left.units * 10n ** BigInt(scale - left.scale), right.units * 10n ** BigInt(scale - right.scale), scale];
}

export const add = (a, b) => {
  const [left, right, scale] = aligned(a, b);
  return text(left + right, scale);
};

export const negate = (a) => (String(a).startsWith('-') ? String(a).slice(1) : isZero(a) ? a : `-${a}`);

export const subtract = (a, b) => add(a, negate(b));

export const multiply = (a, b) => {
  const [left, right] = [parts(a), parts(b)];
  return text(left.units * right.units, left.scale + right.scale);
};

/** -1, 0 or 1. */
export const compare = (a, b) => {
  const [left, right] = aligned(a, b);
  return left < right ? -1 : left > right ? 1 : 0;
};

export const isZero = (a) => parts(a).units === 0n;
export const isPositive = (a) => parts(a).units > 0n;
export const sum = (list) => list.reduce(add, '0');

/** Rounded half away from zero, as the service rounds. */
export const round = (a, decimals) => {
  const { units, scale } = parts(a);
  if (scale <= decimals) return text(units * 10n ** BigInt(decimals - scale), decimals);
  const step = 10n ** BigInt(scale - decimals);
  const size = units < 0n ? -units : units;
  const rounded = (size + step / 2n) / step;
  return text(units < 0n ? -rounded : rounded, decimals);
};

/** Without zeros that say nothing: 1.500 is 1.5. */
export const trim = (a) => (String(a).includes('.') ? String(a).replace(/\.?0+$/, '') : String(a));

/**
 * What somebody typed, with a comma or a point; null if it is no number.
 *
 * One sign of either kind is the decimal one, in every language: as an amount, what is meant as a thousand has too many decimals then.
 */
export function typed(input) {
  const plain = String(input).replace(/[\s\u00a0\u202f']/g, '');
  const signs = plain.replace(/[^.,]/g, '');
  const last = signs.at(-1);
  const isMixed = signs.length > 1 && signs[0] !== last;
  if (signs.length > 1 && !isMixed) return null;
  const normal = isMixed
    ? plain.replaceAll(signs[0], '').replace(last, '.')
    : plain.replace(',', '.');
  const full = normal.startsWith('.') ? `0${normal}` : normal;
  return form.test(full) ? full : null;
}
