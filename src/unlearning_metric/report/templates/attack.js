// The challenge's arithmetic for one example: what metrics/challenge.py and its kernel compute, in the same roundings.
// `retrained` and `unlearned` are ascending Float64Arrays of equal length, `tables` the float32 logarithms
// ln(1 - delta - k / n) and ln(k / n) for k = 0 .. n.
var attack = (function () {
  "use strict";
  var CAP = 50, PEAKY_RATIO = 0.01, BUFFER = 2, PER_UNIT = 100, LEFT_POINTS = 400;

  // How many values are below `t` (or, with `upto`, not above it).
  function count(values, t, upto) {
    var low = 0, high = values.length;
    while (low < high) {
      var middle = (low + high) >> 1;
      if (upto ? values[middle] <= t : values[middle] < t) low = middle + 1; else high = middle;
    }
    return low;
  }

  function median(values) {
    var half = values.length >> 1;
    return values.length % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
  }

  function range(values) { return values[values.length - 1] - values[0]; }

  // Which side a rule calls positive: above a threshold that of the larger median, inside an interval the narrower.
  function sides(retrained, unlearned) {
    var above = median(retrained) > median(unlearned) ? "retrained" : "unlearned";
    var positive = above === "retrained" ? retrained : unlearned, negative = above === "retrained" ? unlearned : retrained;
    var narrow = range(positive) >= range(negative) ? negative : positive;
    return { above: above, positive: positive, negative: negative, narrow: narrow,
      wide: narrow === positive ? negative : positive, inside: narrow === retrained ? "retrained" : "unlearned" };
  }

  // Epsilon of a rule with errors of both kinds, NaN where the metric does not count it.
  function epsilon(fp, fn, tables) {
    if (fp === 0 && fn === 0) return CAP;
    if (fp === 0 || fn === 0) return NaN;
    var first = Math.fround(tables.room[fp] - tables.rate[fn]), second = Math.fround(tables.room[fn] - tables.rate[fp]);
    if (isNaN(first) && isNaN(second)) return NaN;
    return Math.min(Math.max(0, isNaN(first) ? 0 : first, isNaN(second) ? 0 : second), CAP);
  }

  // Errors of a rule {kind: "threshold", left} or {kind: "interval", left, right}.
  function errors(rule, who) {
    var n = who.positive.length;
    if (rule.kind === "threshold") return { fp: n - count(who.negative, rule.left), fn: count(who.positive, rule.left) };
    function within(values) { return Math.max(count(values, rule.right, true) - count(values, rule.left), 0); }
    return { fp: within(who.wide), fn: n - within(who.narrow) };
  }

  // A point of torch.linspace in float32.
  function gridPoint(low, high, step, points, index) {
    return Math.fround(index < points >> 1 ? low + step * index : high - step * (points - 1 - index));
  }

  // The rule of the metric's grid that tells most: {epsilon, kind, rule}; kind as in the per-example table.
  function search(retrained, unlearned, tables) {
    var who = sides(retrained, unlearned), n = retrained.length;
    var small = range(who.narrow), large = range(who.wide);
    if (large > 0 && small / large < PEAKY_RATIO) return { epsilon: CAP, kind: "peaky", rule: null };
    var best = { epsilon: NaN, kind: "undefined", rule: null };
    function better(found, rule) {
      if (!isNaN(found) && !(found <= best.epsilon)) best = { epsilon: found, kind: "finite", rule: rule };
    }
    var least = Math.min(retrained[0], unlearned[0]), most = Math.max(retrained[n - 1], unlearned[n - 1]);
    var points = Math.ceil((most - least) * PER_UNIT), low = Math.fround(least), high = Math.fround(most);
    var step = points > 1 ? Math.fround(Math.fround(high - low) / Math.fround(points - 1)) : 0;
    for (var index = 0; index < points; index++) {
      var rule = { kind: "threshold", left: points === 1 ? low : gridPoint(low, high, step, points, index) };
      var wrong = errors(rule, who);
      if (wrong.fp === 0 && wrong.fn === 0) return { epsilon: CAP, kind: "infinite", rule: rule };
      better(epsilon(wrong.fp, wrong.fn, tables), rule);
    }
    return intervals(who, small, tables, best, better) || best;

    function intervals(who, width, tables) {
      var narrow = who.narrow, wide = who.wide;
      var firstRight = narrow[0] + width - BUFFER, lastRight = narrow[n - 1] + BUFFER;
      var rows = Math.ceil((lastRight - firstRight) * PER_UNIT), span = (lastRight - firstRight) / (rows - 1);
      for (var row = 0; row < rows; row++) {
        var right = row === rows - 1 ? lastRight : row * span + firstRight;
        var start = right - width - BUFFER, end = right - width + BUFFER, step = (end - start) / (LEFT_POINTS - 1);
        var upto = { narrow: count(narrow, right, true), wide: count(wide, right, true) };
        var below = { narrow: count(narrow, start), wide: count(wide, start) };
        for (var column = 0; column < LEFT_POINTS; column++) {
          var left = column === LEFT_POINTS - 1 ? end : column * step + start;
          while (below.narrow < n && narrow[below.narrow] < left) below.narrow++;
          while (below.wide < n && wide[below.wide] < left) below.wide++;
          var fp = Math.max(upto.wide - below.wide, 0), fn = n - Math.max(upto.narrow - below.narrow, 0);
          if (fp === 0) {
            if (fn === 0) return { epsilon: CAP, kind: "infinite", rule: { kind: "interval", left: left, right: right } };
            // A shorter interval keeps fp at 0 and cannot lower fn.
            break;
          }
          if (fn === 0) continue;
          var found = epsilon(fp, fn, tables);
          if (!(found <= best.epsilon)) better(found, { kind: "interval", left: left, right: right });
        }
      }
      return null;
    }
  }

  // Points of an epsilon; `worth` has those of each bucket of width 0.5.
  function points(value, worth) {
    var bucket = Math.floor(value / 0.5);
    return isNaN(value) || bucket >= worth.length ? 0 : worth[bucket];
  }

  return { sides: sides, errors: errors, epsilon: epsilon, search: search, points: points };
})();
