// Numbers: unpacked, read from the tables and written, compared, and put on an axis.
const minus = text => text.replaceAll("-", "−");
const unpack = packed => {
    if (!packed) return null;
    const [decimals, low, ...offsets] = packed;
    return offsets.map(offset => offset === null ? null : (low + offset) / 10 ** decimals);
};

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";
const raised = n => (n < 0 ? "⁻" : "") + [...String(Math.abs(n))].map(digit => RAISED[digit]).join("");
const lowered = text => Number([...text].map(mark => mark === "⁻" ? "-" : RAISED.indexOf(mark)).join(""));
const write = ({mean, low, high}, decimals) => {  // as grid.write does; signed, with a digit less
    const largest = Math.max(...[mean, low, high].map(Math.abs)), power = largest ? Math.floor(Math.log10(largest)) : 0;
    const plain = decimals !== null || power > -2 && power < 5;
    const digits = decimals ?? (plain ? Math.max(0, 2 - power) : 2);
    const [m, l, h] = [mean, low, high].map(value => plain ? value : value / 10 ** power)
        .map(value => minus((value < 0 ? "" : "+") + value.toFixed(digits)));
    return `${m} [${l},\u00a0${h}]${plain ? "" : ` ×10${raised(power)}`}`;
};
const read = text => {  // what grid.write has written; nothing where it wrote that there is nothing
    const found = text.replaceAll("−", "-").match(/^(\S+) \[(\S+),\s(\S+)\](?: ×10(\S+))?$/);
    if (!found) return {};
    const [mean, low, high] = found.slice(1, 4).map(number => number * 10 ** (found[4] ? lowered(found[4]) : 0));
    return {mean, low, high};
};

const paired = (first, second, quantile) => {  // as stats.paired_difference, over the seeds that both have
    const d = first.flatMap((value, i) => value == null || second[i] == null ? [] : [value - second[i]]);
    const n = d.length;
    if (n < 2) return {n};
    const mean = d.reduce((sum, value) => sum + value) / n;
    const variance = d.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
    const half = quantile[n] * Math.sqrt(variance / n);
    return {mean, low: mean - half, high: mean + half, n};
};

// The ends of an axis for intervals. Unless all is wanted, what lies far from most of them stays outside.
const range = (intervals, all, included = []) => {
    const ascending = values => values.sort((a, b) => a - b);
    const means = ascending(intervals.map(i => i.mean)), widths = ascending(intervals.map(i => i.high - i.low));
    const at = share => means[Math.round(share * (means.length - 1))];
    const spread = Math.max(at(0.75) - at(0.25), widths[widths.length >> 1]);
    const reach = all || means.length < 4 || !spread ? Infinity : 1.5 * spread;
    const [least, most] = [at(0.25) - reach, at(0.75) + reach];
    const inside = intervals.filter(i => i.mean >= least && i.mean <= most);
    const low = Math.min(Math.max(least, Math.min(...inside.map(i => i.low))), ...included);
    const high = Math.max(Math.min(most, Math.max(...inside.map(i => i.high))), ...included);
    const pad = 0.05 * (high - low) || 0.5 * Math.abs(high) || 1;
    return [low - pad, high + pad];
};
const ticks = ([low, high], count) => {  // pairs of a value and how it is written
    const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find(m => m * power >= 0.999 * rough) * power, first = Math.ceil(low / step);
    const values = Array.from({length: Math.floor(high / step) - first + 1}, (_, i) => (first + i) * step);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const small = v => v ? v.toExponential(Math.max(0, Math.floor(Math.log10(Math.abs(v))) + digits)) : "0";
    const marks = values.map(v => [v, minus(digits > 4 ? small(v) : (v || 0).toFixed(digits))]);
    return marks.some(([, name]) => name.length > 5) ? marks.filter((_, i) => i % 2 === 0) : marks;
};
