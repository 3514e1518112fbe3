// @ts-check
/**
 * Normalised cross-correlation of a template with every place of a scene, and its summits, as
 * `faltung.imaging.find` has them. Pixels are whole numbers, so that every sum is exact and only
 * the last division rounds. Flat places have no direction to agree with: 0, where the formula is 0/0.
 *
 * @import { Pixels } from "faltung/pixels"
 *
 * @typedef {object} Sums at one place, over the numbers that template and scene share
 * @property {number} n pixels that are visible
 * @property {number[]} t sums of the template, for each channel
 * @property {number} tt
 * @property {number[]} s sums of the scene
 * @property {number} ss
 * @property {number} ts
 *
 * @typedef {{ row: number, column: number, height: number, y: number, x: number }} Peak
 * @typedef {{ top: number, left: number, score: number, visible: number }} Match
 */

/** Milliseconds of work between two looks at the pointer. */
const SLICE = 24;

export class Correlation {
  /** @param {Pixels} template @param {Pixels} scene with as many channels */
  constructor(template, scene) {
    const [t, s] = sameChannels(template, scene);
    this.template = t;
    this.scene = s;
    this.tables = {
      t: this.#corners(this.template, false),
      tt: this.#corners(this.template, true),
      s: this.#corners(this.scene, false),
      ss: this.#corners(this.scene, true),
    };
    const { height, width } = this.scene;
    this.heat = new Float64Array(height * width);
    this.visible = new Float64Array(height * width);
  }

  /** The share of products that a run needs. */
  get work() {
    const { template, scene } = this;
    return template.height * template.width * scene.height * scene.width * scene.channels;
  }

  /**
   * Fill the heat map, in slices, so that the page stays alive.
   *
   * @param {number} minVisible the least share of the template inside the scene
   * @param {() => boolean} isWanted whether somebody still waits for it
   */
  async run(minVisible, isWanted) {
    let start = performance.now();
    for (let y = 0; y < this.scene.height; y += 1) {
      this.row(y, minVisible);
      if (performance.now() - start < SLICE) continue;
      await new Promise((resolve) => setTimeout(resolve));
      if (!isWanted()) return false;
      start = performance.now();
    }
    return true;
  }

  /** @param {number} y @param {number} minVisible */
  row(y, minVisible) {
    const all = this.template.height * this.template.width;
    for (let x = 0; x < this.scene.width; x += 1) {
      const at = y * this.scene.width + x;
      const sums = this.sums(y, x);
      this.visible[at] = sums.n / all;
      this.heat[at] = this.visible[at] < minVisible ? 0 : coefficient(sums);
    }
  }

  /** What stands at a place, the template's middle pixel on (y, x). @param {number} y @param {number} x @returns {Sums} */
  sums(y, x) {
    const { template, scene, tables } = this;
    const [top, left] = [y - Math.floor(template.height / 2), x - Math.floor(template.width / 2)];
    const [y0, x0] = [Math.max(0, -top), Math.max(0, -left)];
    const [y1, x1] = [Math.min(template.height, scene.height - top), Math.min(template.width, scene.width - left)];
    const of = (/** @type {Float64Array[]} */ table, /** @type {number} */ w, /** @type {number} */ dy, /** @type {number} */ dx) =>
      table.map((one) => box(one, w + 1, y0 + dy, x0 + dx, y1 + dy, x1 + dx));
    const total = (/** @type {number[]} */ values) => values.reduce((sum, v) => sum + v, 0);
    return {
      n: (y1 - y0) * (x1 - x0),
      t: of(tables.t, template.width, 0, 0),
      tt: total(of(tables.tt, template.width, 0, 0)),
      s: of(tables.s, scene.width, top, left),
      ss: total(of(tables.ss, scene.width, top, left)),
      ts: this.#products(top, left, y0, x0, y1, x1),
    };
  }

  /** @param {number} top @param {number} left @param {number} y0 @param {number} x0 @param {number} y1 @param {number} x1 */
  #products(top, left, y0, x0, y1, x1) {
    const { template, scene } = this;
    let sum = 0;
    for (let c = 0; c < scene.channels; c += 1) {
      for (let y = y0; y < y1; y += 1) {
        const t = (c * template.height + y) * template.width;
        const s = (c * scene.height + top + y) * scene.width + left;
        for (let x = x0; x < x1; x += 1) sum += template.data[t + x] * scene.data[s + x];
      }
    }
    return sum;
  }

  /** Sums up to each corner, channel by channel. @param {Pixels} pixels @param {boolean} isSquared */
  #corners({ height, width, channels, data }, isSquared) {
    return Array.from({ length: channels }, (_, c) => {
      const table = new Float64Array((height + 1) * (width + 1));
      for (let y = 0; y < height; y += 1) {
        let line = 0;
        for (let x = 0; x < width; x += 1) {
          const v = data[(c * height + y) * width + x];
          line += isSquared ? v * v : v;
          table[(y + 1) * (width + 1) + x + 1] = table[y * (width + 1) + x + 1] + line;
        }
      }
      return table;
    });
  }
}

/** @param {Float64Array} table @param {number} stride @param {number} y0 @param {number} x0 @param {number} y1 @param {number} x1 */
function box(table, stride, y0, x0, y1, x1) {
  return table[y1 * stride + x1] - table[y0 * stride + x1] - table[y1 * stride + x0] + table[y0 * stride + x0];
}

/** The lesser of the two coefficients: around one mean of all channels, around each channel's.
 * @param {Sums} sums */
export function coefficient(sums) {
  const { t, s, n } = sums;
  const add = (/** @type {number[]} */ values) => values.reduce((sum, v) => sum + v, 0);
  const [allT, allS] = [add(t), add(s)];
  const joined = quotient(sums, n * t.length, allT * allS, allT * allT, allS * allS);
  if (t.length === 1) return joined ?? 0;
  const dot = (/** @type {number[]} */ a, /** @type {number[]} */ b) => add(a.map((v, i) => v * b[i]));
  const pattern = quotient(sums, n, dot(t, s), dot(t, t), dot(s, s));
  return joined === null || pattern === null ? 0 : Math.min(joined, pattern);
}

/** @param {Sums} sums @param {number} count @param {number} ts @param {number} tt @param {number} ss */
function quotient(sums, count, ts, tt, ss) {
  const below = Math.sqrt(count * sums.tt - tt) * Math.sqrt(count * sums.ss - ss);
  return below > 0 ? Math.min(1, Math.max(-1, (count * sums.ts - ts) / below)) : null;
}

/** A grey picture is compared with each channel of a coloured one. @param {Pixels} a @param {Pixels} b @returns {[Pixels, Pixels]} */
function sameChannels(a, b) {
  const channels = Math.max(a.channels, b.channels);
  const spread = (/** @type {Pixels} */ p) => {
    if (p.channels === channels) return p;
    const data = new Float64Array(p.data.length * channels);
    for (let c = 0; c < channels; c += 1) data.set(p.data, c * p.data.length);
    return { ...p, channels, data };
  };
  return [spread(a), spread(b)];
}

/**
 * The places of a heat map that are higher than all around, the highest first; of near ones the
 * best alone.
 *
 * @param {Float64Array} heat @param {number} height @param {number} width
 * @param {number} threshold @param {[number, number]} separation @param {number} [most]
 * @returns {Peak[]}
 */
export function peaks(heat, height, width, threshold, separation, most = 1000) {
  const at = (/** @type {number} */ y, /** @type {number} */ x) =>
    y < 0 || x < 0 || y >= height || x >= width ? -Infinity : heat[y * width + x];
  /** @type {[number, number][]} */
  let summits = [];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const here = heat[y * width + x];
      if (here < threshold) continue;
      let isSummit = true;
      for (let i = 0; i < 9 && isSummit; i += 1) isSummit = at(y - 1 + Math.floor(i / 3), x - 1 + (i % 3)) <= here;
      if (isSummit) summits.push([y, x]);
    }
  }
  summits.sort(([y, x], [v, u]) => heat[v * width + u] - heat[y * width + x]);
  /** @type {Peak[]} */
  const found = [];
  while (summits.length && found.length < most) {
    const [[row, column], ...others] = summits;
    const y = row + vertex(at(row - 1, column), at(row, column), at(row + 1, column));
    const x = column + vertex(at(row, column - 1), at(row, column), at(row, column + 1));
    found.push({ row, column, height: at(row, column), y, x });
    summits = others.filter(([v, u]) => Math.abs(v - row) >= separation[0] || Math.abs(u - column) >= separation[1]);
  }
  return found;
}

/** Where the parabola through three heights at -1, 0 and 1 is highest, within half a pixel.
 * @param {number} before @param {number} here @param {number} after */
function vertex(before, here, after) {
  const bend = 2 * here - before - after;
  if (!(bend > 0 && bend < Infinity)) return 0;
  return Math.min(Math.max((after - before) / (2 * bend), -0.5), 0.5);
}
