// The charts: a function each from data to a Vega-Lite specification, and how they are drawn and tabulated.
var charts = (function () {
  "use strict";
  var RETRAINED = "#0173b2", UNLEARNED = "#d55e00", NAMED = 40, SHOWN_EPSILON = 8, BINS = 40;
  var BOARDS = ["#0173b2", "#d55e00", "#029e73", "#cc78bc", "#949494"], SHAPES = ["circle", "square", "triangle-up", "diamond", "cross"];
  var ink = "currentColor";
  var CONFIG = {
    background: null, font: "system-ui, sans-serif", view: { stroke: null }, aria: false, mark: { aria: false },
    axis: { labelColor: ink, titleColor: ink, domainColor: ink, tickColor: ink, gridColor: ink, gridOpacity: 0.12,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelLimit: 140 },
    legend: { labelColor: ink, titleColor: ink, labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal" },
    text: { color: ink, fontSize: 11 }, rule: { color: ink }
  };
  var TOP = { orient: "top", direction: "horizontal", gradientLength: 160 };
  var views = [];

  function spec(parts) {
    return Object.assign({ width: 300, height: 260, autosize: { type: "fit-x", contains: "padding" }, config: CONFIG }, parts);
  }

  // Draw into the element of an id; gives the view.
  function draw(id, specification) {
    var element = document.getElementById(id);
    // Vega-Lite tells that a height in steps does not fit, which is meant here.
    var quiet = { level: function () { return quiet; }, error: console.error, warn: none, info: none, debug: none };
    function none() { return quiet; }
    var view = new vega.View(vega.parse(vegaLite.compile(specification, { logger: quiet }).spec), { renderer: "svg" });
    view.logLevel(vega.Error).initialize(element).width(width(element)).run();
    // The element around it says what it shows, and the table below what is in it.
    view.runAsync().then(function () { element.querySelector("svg").setAttribute("aria-hidden", "true"); });
    views.push({ view: view, element: element });
    return view;
  }

  function width(element) { return Math.max(Math.min(element.clientWidth, 900) - 2, 260); }

  function resize() { views.forEach(function (one) { one.view.width(width(one.element)).runAsync(); }); }

  // A table of the numbers behind a chart, in the element that follows it; made when it is unfolded.
  function behind(id, heads, rows) {
    var details = document.getElementById(id).closest("figure").querySelector(".behind");
    function fill() {
      if (details.open) details.querySelector(".scroll").replaceChildren(table(heads, rows()));
    }
    details.ontoggle = fill;
    fill();
  }

  function table(heads, rows) {
    var made = document.createElement("table"), head = made.createTHead().insertRow(), body = made.createTBody();
    heads.forEach(function (text) {
      var cell = document.createElement("th");
      cell.scope = "col"; cell.textContent = text; head.appendChild(cell);
    });
    rows.forEach(function (row) {
      var line = body.insertRow();
      row.forEach(function (value, column) {
        var cell = column === 0 ? document.createElement("th") : line.insertCell();
        if (column === 0) { cell.scope = "row"; line.appendChild(cell); }
        cell.textContent = text(value);
      });
    });
    return made;
  }

  // A number to four significant digits, as short as that is.
  function text(value) {
    if (value === null || value === undefined || Number.isNaN(value)) return "-";
    return typeof value === "number" ? String(Number(value.toPrecision(4))) : String(value);
  }

  // Scores of several boards are comparable as shares of their ceilings only.
  function scale(data, method) {
    if (data.boards.length === 1) return 1;
    var ceiling = data.boards[method.board].ceiling;
    return ceiling ? 1 / ceiling : NaN;
  }

  function title(data) {
    return data.boards.length > 1 ? "share of the ceiling (root scale)" : "forgetting score (root scale)";
  }

  function references(data) {
    var board = data.boards[0];
    if (data.boards.length > 1) return [{ name: "ceiling", value: 1 }];
    return [["ceiling", board.ceiling], ["floor", board.floor]].filter(function (pair) { return pair[1] !== null; })
      .map(function (pair) { return { name: pair[0], value: pair[1] }; });
  }

  // Colour and shape of a board; one board alone has the colour of what was unlearned.
  function ofBoard(data) {
    var names = data.boards.map(function (board) { return board.name; });
    var range = names.map(function (_, place) { return names.length > 1 ? BOARDS[place % BOARDS.length] : UNLEARNED; });
    var shapes = names.map(function (_, place) { return SHAPES[Math.floor(place / BOARDS.length + place) % SHAPES.length]; });
    var legend = names.length > 1 ? { orient: "top", columns: 2, labelLimit: 220 } : null;
    return { color: { field: "board", type: "nominal", title: null, scale: { domain: names, range: range }, legend: legend },
      shape: { field: "board", type: "nominal", title: null, scale: { domain: names, range: shapes }, legend: legend } };
  }

  function referenceLayers(data, field) {
    var values = { values: references(data) };
    return [
      { data: values, mark: { type: "rule", strokeDash: [4, 3], opacity: 0.7 }, encoding: { y: { field: "value", type: "quantitative" } } },
      { data: values, mark: { type: "text", align: "left", dx: 3, dy: -5, baseline: "bottom" },
        encoding: { y: { field: "value", type: "quantitative" }, x: { value: 0 }, text: { field: "name" } } }
    ];
  }

  function utility(data) {
    var rows = data.methods.map(function (method) {
      var known = method.utility !== null, by = scale(data, method), ends = method.interval || [method.score, method.score];
      return { number: data.names.indexOf(method.name) + 1, method: method.name, board: data.boards[method.board].name,
        label: method.label, score: method.score * by, low: ends[0] * by, high: ends[1] * by,
        utility: known ? method.utility[0] : null, left: known ? method.utility[1] : null, right: known ? method.utility[2] : null };
    }).filter(function (row) { return row.utility !== null && !Number.isNaN(row.score); });
    behind("chart-utility", ["method", "number", "utility", "from", "to", title(data), "from", "to"], function () {
      return rows.map(function (r) { return [r.label, r.number, r.utility, r.left, r.right, r.score, r.low, r.high]; });
    });
    var x = { field: "utility", type: "quantitative", title: "utility: retain ratio x test ratio", scale: { zero: false } };
    var y = { field: "score", type: "quantitative", title: title(data), scale: { type: "sqrt" } }, look = ofBoard(data);
    var tip = [{ field: "label", title: "method" }, { field: "score", title: "score", format: ".3" }, { field: "utility", format: ".3" }];
    draw("chart-utility", spec({ height: 300, data: { values: rows }, layer: referenceLayers(data).concat([
      { mark: { type: "rule", opacity: 0.6 }, encoding: { x: x, y: { field: "low", type: "quantitative" }, y2: { field: "high" }, color: look.color } },
      { transform: [{ filter: "isValid(datum.left)" }], mark: { type: "rule", opacity: 0.6 },
        encoding: { x: { field: "left", type: "quantitative" }, x2: { field: "right" }, y: y, color: look.color } },
      { mark: { type: "point", filled: true, size: 45, opacity: 1 }, encoding: { x: x, y: y, color: look.color, shape: look.shape, tooltip: tip } },
      { mark: { type: "text", align: "left", dx: 5, dy: -6 }, encoding: { x: x, y: y, text: { field: "number" }, tooltip: tip } }
    ]) }));
  }

  function models(data) {
    var rows = [];
    data.methods.forEach(function (method) {
      var by = scale(data, method);
      method.models.forEach(function (entry) {
        rows.push({ method: method.name, board: data.boards[method.board].name, label: method.label, models: entry[0],
          score: entry[1] * by, low: entry[2] === null ? null : entry[2] * by, high: entry[3] === null ? null : entry[3] * by });
      });
    });
    rows = rows.filter(function (row) { return !Number.isNaN(row.score); });
    behind("chart-models", ["method", "models a side", title(data), "from", "to"], function () {
      return rows.map(function (r) { return [r.label, r.models, r.score, r.low, r.high]; });
    });
    var ticks = Array.from(new Set(rows.map(function (row) { return row.models; })));
    var x = { field: "models", type: "quantitative", scale: { type: "log", nice: false, padding: 12 }, title: "models a side (N)",
      axis: { values: ticks, format: "d" } };
    var y = { field: "score", type: "quantitative", scale: { type: "sqrt" }, title: title(data) };
    var chosen = [{ filter: "datum.method === chosen" }], look = ofBoard(data);
    return draw("chart-models", spec({ height: 300, params: [{ name: "chosen", value: data.methods[0].name }], data: { values: rows },
      layer: referenceLayers(data).concat([
        { mark: { type: "line", color: ink, opacity: 0.25, strokeWidth: 1.2 }, encoding: { x: x, y: y, detail: { field: "label" } } },
        { transform: chosen, mark: { type: "line" }, encoding: { x: x, y: y, color: look.color } },
        { transform: chosen, mark: { type: "point", filled: true, size: 45, opacity: 1 }, encoding: { x: x, y: y, color: look.color, shape: look.shape } },
        { transform: chosen.concat([{ filter: "isValid(datum.low)" }]), mark: { type: "rule", strokeWidth: 2 },
          encoding: { x: x, y: { field: "low", type: "quantitative" }, y2: { field: "high" }, color: look.color } },
        { mark: { type: "point", opacity: 0, size: 120 }, encoding: { x: x, y: y,
          tooltip: [{ field: "label", title: "method" }, { field: "models" }, { field: "score", format: ".3" }] } }
      ]) }));
  }

  // The score of the copies from each original, where there are several.
  function originals(data) {
    var rows = [], means = [];
    data.methods.forEach(function (method) {
      if (!method.originals) return;
      method.originals.each.forEach(function (score, original) { rows.push({ method: method.name, original: original, score: score }); });
      means.push({ method: method.name, score: method.originals.mean, low: method.originals.another[0], high: method.originals.another[1] });
    });
    behind("chart-originals", ["method", "original", "final score"], function () {
      return rows.map(function (r) { return [r.method, r.original, r.score]; });
    });
    var y = { field: "method", type: "nominal", sort: null, title: null, axis: { ticks: false, domain: false } };
    var x = { field: "score", type: "quantitative", title: "final score (root scale)", scale: { type: "sqrt" } };
    draw("chart-originals", spec({ height: { step: 22 }, data: { values: means }, layer: [
      { transform: [{ filter: "isValid(datum.low)" }], mark: { type: "rule", color: ink, opacity: 0.5, strokeWidth: 2 },
        encoding: { y: y, x: { field: "low", type: "quantitative" }, x2: { field: "high" } } },
      { mark: { type: "tick", color: ink, thickness: 2 }, encoding: { y: y, x: x } },
      { data: { values: rows }, mark: { type: "point", color: UNLEARNED, filled: true, opacity: 0.7, size: 40 }, encoding: { y: y, x: x,
        tooltip: [{ field: "method" }, { field: "original" }, { field: "score", title: "final score", format: ".3" }] } }
    ] }));
  }

  function median(values) {
    var sorted = values.slice().sort(function (a, b) { return a - b; }), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  function badly(data, epsilonOf) {
    var rows = [];
    data.boards.forEach(function (board) {
      var size = board.examples.length, bins = Math.min(BINS, size);
      board.order = board.examples.map(function (_, place) { return place; }).sort(function (a, b) { return board.loss[a] - board.loss[b]; });
      board.edges = [];
      for (var bin = 0; bin < bins; bin++) board.edges.push([Math.floor(bin * size / bins), Math.floor((bin + 1) * size / bins)]);
    });
    data.methods.forEach(function (method, place) {
      var board = data.boards[method.board];
      board.edges.forEach(function (edge, bin) {
        var values = board.order.slice(edge[0], edge[1]).map(function (k) { return epsilonOf(place, k); })
          .map(function (value) { return isNaN(value) ? 50 : value; });
        rows.push({ method: method.label, bin: bin, epsilon: median(values),
          from: edge[0] + 1, to: edge[1] });
      });
    });
    behind("chart-badly", ["method", "examples, easy to hard", "median epsilon"], function () {
      return rows.map(function (r) { return [r.method, r.from === r.to ? r.from : r.from + " to " + r.to, r.epsilon]; });
    });
    var many = data.methods.length > NAMED;
    draw("chart-badly", spec({ height: { step: many ? 5 : 17 }, data: { values: rows }, mark: "rect", encoding: {
      x: { field: "bin", type: "ordinal", axis: { labels: false, ticks: false, domain: false }, title: "forget examples, easy to hard" },
      y: { field: "method", type: "nominal", sort: null, title: many ? "methods, best first" : null,
        axis: { labels: !many, ticks: false, domain: false } },
      color: { field: "epsilon", type: "quantitative", title: "epsilon", legend: TOP, scale: { scheme: "cividis", domain: [0, SHOWN_EPSILON], clamp: true } },
      tooltip: [{ field: "method" }, { field: "from", title: "from, easy to hard" }, { field: "to" }, { field: "epsilon", title: "median epsilon", format: ".3" }]
    } }));
  }

  function agreement(data, place) {
    var found = data.boards[place].agreement, names = found.metrics, rows = [], id = "chart-agreement-" + place;
    found.values.forEach(function (line, first) {
      line.forEach(function (value, second) {
        if (value !== null) rows.push({ first: names[first], second: names[second], value: value });
      });
    });
    behind(id, ["metric"].concat(names), function () {
      return found.values.map(function (line, place) { return [names[place]].concat(line); });
    });
    var x = { field: "first", type: "nominal", sort: names, title: null, axis: { labelAngle: -40, ticks: false, domain: false } };
    var y = { field: "second", type: "nominal", sort: names, title: null, axis: { ticks: false, domain: false } };
    draw(id, spec({ height: { step: 28 }, data: { values: rows }, encoding: { x: x, y: y }, layer: [
      { mark: "rect", encoding: { color: { field: "value", type: "quantitative", title: "rank correlation", legend: TOP,
        scale: { scheme: "blueorange", domain: [-1, 1], reverse: true } } } },
      // Numbers that would run into each other are left to the table.
      { mark: { type: "text", fontSize: 11, opacity: { expr: "width / " + names.length + " > 26 ? 1 : 0" } }, encoding: { text: { field: "value", format: ".2f" },
        color: { condition: { test: "abs(datum.value) > 0.75", value: "#fff" }, value: "#111" } } }
    ] }));
  }

  function pairs(data, place) {
    var board = data.boards[place], rows = [], id = "chart-pairs-" + place;
    var names = data.methods.filter(function (method) { return method.board === place; })
      .map(function (method) { return method.name; }).slice(0, NAMED);
    board.pairs.forEach(function (pair) {
      if (names.indexOf(pair.first) < 0 || names.indexOf(pair.second) < 0) return;
      var sign = pair.apart ? Math.sign(pair.difference) : 0;
      [[pair.first, pair.second, sign], [pair.second, pair.first, -sign]].forEach(function (cell) {
        rows.push({ row: cell[0], column: cell[1], p: pair.p,
          is: cell[2] > 0 ? "row ahead" : cell[2] < 0 ? "row behind" : "not told apart",
          sign: cell[2] > 0 ? "+" : cell[2] < 0 ? "\u2212" : "" });
      });
    });
    behind(id, ["first", "second", "final score, first less second", "p (Holm)", "told apart"], function () {
      return board.pairs.map(function (p) { return [p.first, p.second, p.difference, p.p, p.apart ? "yes" : "no"]; });
    });
    var x = { field: "column", type: "nominal", sort: names, title: null, axis: { labelAngle: -60, ticks: false, domain: false, labelLimit: 110 } };
    var y = { field: "row", type: "nominal", sort: names, title: null, axis: { ticks: false, domain: false, labelLimit: 110 } };
    draw(id, spec({ height: { step: 19 }, data: { values: rows }, encoding: { x: x, y: y }, layer: [
      { mark: { type: "rect", stroke: ink, strokeOpacity: 0.15 }, encoding: {
        color: { field: "is", type: "nominal", title: null, legend: { orient: "top", columns: 2, labelLimit: 200 },
          scale: { domain: ["row ahead", "row behind", "not told apart"], range: [RETRAINED, UNLEARNED, "transparent"] } },
        tooltip: [{ field: "row" }, { field: "is", title: "is" }, { field: "column" }, { field: "p", title: "p (Holm)", format: ".3" }] } },
      { mark: { type: "text", color: "#fff", fontWeight: "bold" }, encoding: { text: { field: "sign" } } }
    ] }));
  }

  // Both distributions of an example, and the rule: the parameters `left`, `right`, `from`, `to` move it.
  function laws() {
    var x = { type: "quantitative", title: "logit-scaled confidence", scale: { domain: [{ expr: "from" }, { expr: "to" }], nice: false } };
    function bars(side, mark) {
      return { transform: [{ filter: "datum.side === '" + side + "'" }], mark: Object.assign({ type: "rect", clip: true }, mark), encoding: {
        x: Object.assign({ field: "low" }, x), x2: { field: "high" },
        y: { field: "models", type: "quantitative", title: "models" }, y2: { field: "none" } } };
    }
    return draw("chart-laws", spec({ height: 230,
      params: ["left", "right", "from", "to", "interval"].map(function (name) { return { name: name, value: 0 }; }),
      data: { name: "counts", values: [] }, layer: [
        { data: { values: [{}] }, mark: { type: "rect", color: ink, opacity: 0.09, clip: true },
          encoding: { x: { datum: { expr: "left" }, type: "quantitative" }, x2: { datum: { expr: "right" } } } },
        bars("retrained", { color: RETRAINED, opacity: 0.5 }),
        bars("unlearned", { fill: UNLEARNED, fillOpacity: 0.12, stroke: UNLEARNED, strokeWidth: 1.6, strokeDash: [4, 2] }),
        { data: { values: [{}] }, mark: { type: "rule", strokeWidth: 2, clip: true }, encoding: { x: { datum: { expr: "left" }, type: "quantitative" } } },
        { data: { values: [{}] }, mark: { type: "rule", strokeWidth: 2, clip: true, opacity: { expr: "interval" } },
          encoding: { x: { datum: { expr: "right" }, type: "quantitative" } } }
      ] }));
  }

  // Two methods, example by example; `brushed` is told the ranges that are drawn around some of them.
  function scatter(brushed) {
    var view = draw("chart-scatter", spec({ height: 300, data: { name: "examples", values: [] },
      params: [{ name: "top", value: SHOWN_EPSILON }],
      layer: [
        { data: { values: [{ low: 0, high: SHOWN_EPSILON }] }, mark: { type: "rule", clip: true, opacity: 0.4, strokeDash: [3, 3] }, encoding: {
          x: { field: "low", type: "quantitative" }, x2: { field: "high" }, y: { field: "low", type: "quantitative" }, y2: { field: "high" } } },
        { params: [{ name: "brush", select: { type: "interval", mark: { stroke: ink, fill: ink, fillOpacity: 0.08 } } }],
          mark: { type: "point", size: 22, filled: true, color: UNLEARNED, opacity: 0.9 }, encoding: {
            x: { field: "a", type: "quantitative", title: "epsilon under the first method (8 and above at 8)", scale: { domain: [0, { expr: "top * 1.025" }], nice: false } },
            y: { field: "b", type: "quantitative", title: "epsilon under the second (8 and above at 8)", scale: { domain: [0, { expr: "top * 1.025" }], nice: false } },
            shape: { field: "kept", type: "nominal", legend: null, scale: { domain: ["yes", "no"], range: ["circle", "cross"] } },
            fillOpacity: { condition: { test: "datum.kept === 'yes'", value: 0.85 }, value: 0.12 },
            tooltip: [{ field: "example" }, { field: "label" }, { field: "a", title: "first", format: ".3" }, { field: "b", title: "second", format: ".3" }] } }
      ] }));
    view.addSignalListener("brush", function (_, ranges) { brushed(ranges.a || null, ranges.b || null); });
    return view;
  }

  return { draw: draw, resize: resize, behind: behind, table: table, text: text, utility: utility, models: models, badly: badly,
    originals: originals, agreement: agreement, pairs: pairs, laws: laws, scatter: scatter, SHOWN_EPSILON: SHOWN_EPSILON };
})();
