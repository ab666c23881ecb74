// What the reader asks: a method, an example, a rule; filters; two methods. Draws once the page has been painted.
(function () {
  "use strict";
  var BINS = 30, ROWS = 100;
  var data = JSON.parse(document.getElementById("findings").textContent);
  var arrays = {}, views = {}, drawn = 0;
  var state = { method: data.chosen, other: second(data.chosen), place: boardOf(data.chosen).shown[0], rule: null, best: null,
    sort: "epsilon", down: true, rows: ROWS };

  function the(id) { return document.getElementById(id); }

  function boardOf(method) { return data.boards[data.methods[method].board]; }

  // What a method is first compared with: the same one on the next board, or the next one.
  function second(method) {
    var chosen = data.methods[method];
    var same = data.methods.findIndex(function (one) { return one.name === chosen.name && one.board !== chosen.board; });
    return same >= 0 ? same : Math.min(method + 1, data.methods.length - 1);
  }

  // Array of a name, decoded when it is first asked for.
  function array(name, Kind) {
    if (!arrays[name]) {
      var text = atob(the("array-" + name).textContent), bytes = new Uint8Array(text.length);
      for (var place = 0; place < text.length; place++) bytes[place] = text.charCodeAt(place);
      arrays[name] = new Kind(bytes.buffer);
    }
    return arrays[name];
  }

  function tables(method) {
    var both = array("logarithms-" + data.methods[method].board, Float32Array), length = both.length / 2;
    return { room: both.subarray(0, length), rate: both.subarray(length) };
  }

  function epsilonOf(method, place) { return array("epsilons-" + method, Float32Array)[place]; }

  // Epsilon under the second method of an example of the first one's board; NaN where the second's does not have it.
  function otherEpsilon(place) {
    var board = boardOf(state.method), other = boardOf(state.other);
    if (board === other) return epsilonOf(state.other, place);
    if (board.pool !== other.pool) return NaN;
    if (!other.places) other.places = new Map(other.examples.map(function (index, at) { return [index, at]; }));
    var found = other.places.get(board.examples[place]);
    return found === undefined ? NaN : epsilonOf(state.other, found);
  }

  // Confidences of both sides on a shown example, ascending.
  function sidesOf(method, place) {
    var board = boardOf(method), start = board.shown.indexOf(place) * board.copies, end = start + board.copies;
    return { retrained: array("retrained-" + data.methods[method].board, Float64Array).subarray(start, end),
      unlearned: array("unlearned-" + method, Float64Array).subarray(start, end) };
  }

  function described(value) { return isNaN(value) ? "undefined" : charts.text(value); }

  // The metric's own search on a shown example: what the browser's tests compare with the tables.
  function searched(method, place) {
    var both = sidesOf(method, place);
    return attack.search(both.retrained, both.unlearned, tables(method));
  }

  function showLaws() {
    var both = sidesOf(state.method, state.place), n = boardOf(state.method).copies, rows = [];
    var low = Math.min(both.retrained[0], both.unlearned[0]), high = Math.max(both.retrained[n - 1], both.unlearned[n - 1]);
    var margin = Math.max((high - low) * 0.04, 0.05), width = (high - low || 1) / BINS;
    ["retrained", "unlearned"].forEach(function (side) {
      var counts = new Array(BINS).fill(0);
      both[side].forEach(function (value) { counts[Math.min(Math.floor((value - low) / width), BINS - 1)]++; });
      counts.forEach(function (models, bin) {
        rows.push({ side: side, low: low + bin * width, high: low + (bin + 1) * width, models: models, none: 0 });
      });
    });
    state.from = low - margin; state.to = high + margin;
    views.laws.signal("from", state.from).signal("to", state.to).data("counts", rows);
    charts.behind("chart-laws", ["confidence", "to", "retrained models", "unlearned models"], function () {
      return rows.slice(0, BINS).map(function (row, bin) { return [row.low, row.high, row.models, rows[BINS + bin].models]; });
    });
    ["left", "right"].forEach(function (end) {
      the(end).min = state.from; the(end).max = state.to; the(end).step = (state.to - state.from) / 1000;
    });
    state.best = searched(state.method, state.place);
    state.rule = state.best.rule || { kind: "threshold", left: (low + high) / 2 };
    showSubject();
  }

  function showSubject() {
    var place = state.place, method = data.methods[state.method], board = boardOf(state.method), index = board.examples[place];
    var address = data.pictures[board.pool][index], label = board.classes[board.labels[place]];
    the("example-picture").hidden = !address;
    if (address) {
      the("example-picture").src = address;
      the("example-picture").alt = "forget example " + index + ", label " + label;
    }
    the("example-text").textContent = "Example " + index + ", label " + label +
      (board.groups ? ", group " + board.groups[place] : "") + ", " + data.thirds[board.difficulty[place]] +
      ". Epsilon under " + method.label + ": " + described(epsilonOf(state.method, place)) + ".";
    the("method-text").textContent = [method.description].concat(method.warnings.map(function (text) {
      return "Note: " + text + ".";
    })).join(" ");
  }

  // The rule and what it tells; `from` is the control that moved, which keeps its text.
  function showRule(from) {
    var rule = state.rule, both = sidesOf(state.method, state.place), who = attack.sides(both.retrained, both.unlearned);
    var wrong = attack.errors(rule, who), epsilon = attack.epsilon(wrong.fp, wrong.fn, tables(state.method)), n = both.retrained.length;
    var positive = rule.kind === "threshold" ? who.above : who.inside;
    the("kind-" + rule.kind).checked = true;
    the("right-row").hidden = rule.kind === "threshold";
    the("left-name").textContent = rule.kind === "threshold" ? "from" : "left";
    [["left", rule.left], ["right", rule.right]].forEach(function (end) {
      if (end[1] === undefined) return;
      if (from !== end[0]) the(end[0]).value = end[1];
      if (from !== end[0] + "-number") the(end[0] + "-number").value = end[1];
    });
    the("says").textContent = "Says \u201c" + positive + "\u201d of a model whose confidence is " + (rule.kind === "threshold" ?
      "at least this." : "between these two.");
    the("fpr").textContent = charts.text(wrong.fp / n) + " (" + wrong.fp + " of " + n + ")";
    the("fnr").textContent = charts.text(wrong.fn / n) + " (" + wrong.fn + " of " + n + ")";
    the("epsilon-of-rule").textContent = isNaN(epsilon) ? "not counted: errors of one kind only" : charts.text(epsilon);
    the("epsilon-of-rule").dataset.exact = epsilon;
    the("points-of-rule").textContent = isNaN(epsilon) ? "-" : charts.text(attack.points(epsilon, boardOf(state.method).points));
    the("best-text").textContent = { peaky: "One side hardly varies beside the other: the metric tries no rule, epsilon is 50.",
      infinite: "The metric\u2019s best rule separates the sides without error: epsilon is 50.",
      undefined: "No rule of the metric\u2019s grid has errors of both kinds: epsilon is undefined.",
      finite: "The metric\u2019s best rule tells " + charts.text(state.best.epsilon) + ", which is this example\u2019s epsilon."
    }[state.best.kind];
    views.laws.signal("left", rule.left).signal("right", rule.kind === "threshold" ? state.to : rule.right)
      .signal("interval", rule.kind === "threshold" ? 0 : 1);
    return views.laws.runAsync();
  }

  function number(id, otherwise) { var value = parseFloat(the(id).value); return isNaN(value) ? otherwise : value; }

  // Places of the examples that the filters keep.
  function kept() {
    var label = the("by-label").value, third = the("by-difficulty").value, group = the("by-group") ? the("by-group").value : "";
    var low = number("epsilon-from", -1), high = number("epsilon-to", Infinity);
    var otherLow = number("other-from", -1), otherHigh = number("other-to", Infinity);
    function within(value, low, high) { return isNaN(value) ? high === Infinity && low < 0 : value >= low && value <= high; }
    var board = boardOf(state.method);
    return board.examples.map(function (_, place) { return place; }).filter(function (place) {
      return (label === "" || String(board.labels[place]) === label) && (group === "" || String(board.groups[place]) === group) &&
        (third === "" || String(board.difficulty[place]) === third) && within(epsilonOf(state.method, place), low, high) &&
        within(otherEpsilon(place), otherLow, otherHigh);
    });
  }

  function sortValue(place) {
    var name = state.sort;
    if (name === "epsilon" || name === "other") {
      var value = name === "epsilon" ? epsilonOf(state.method, place) : otherEpsilon(place);
      return isNaN(value) ? Infinity : value;
    }
    var board = boardOf(state.method);
    return { example: board.examples, label: board.labels, group: board.groups, difficulty: board.loss }[name][place];
  }

  function showExamples(places) {
    var sign = state.down ? -1 : 1;
    places.sort(function (a, b) { return sign * (sortValue(a) - sortValue(b)) || a - b; });
    var body = the("examples-body"), board = boardOf(state.method), shown = new Set(board.shown);
    var sum = places.reduce(function (total, place) { return total + attack.points(epsilonOf(state.method, place), board.points); }, 0);
    the("kept").textContent = places.length + " of " + board.examples.length + " examples" + (places.length ? "; mean points under " +
      data.methods[state.method].label + ": " + charts.text(sum / places.length) : "");
    the("kept").dataset.mean = sum / places.length;
    body.replaceChildren.apply(body, places.slice(0, state.rows).map(function (place) {
      var row = document.createElement("tr"), head = document.createElement("th");
      head.scope = "row";
      if (shown.has(place)) {
        var button = document.createElement("button");
        button.type = "button"; button.className = "plain"; button.textContent = board.examples[place];
        button.setAttribute("aria-label", "attack example " + board.examples[place]);
        button.dataset.place = place;
        head.appendChild(button);
      } else head.textContent = board.examples[place];
      row.appendChild(head);
      row.className = place === state.place ? "chosen" : "";
      [board.classes[board.labels[place]]].concat(board.groups ? [board.groups[place]] : [],
        [data.thirds[board.difficulty[place]], described(epsilonOf(state.method, place)), described(otherEpsilon(place))])
        .forEach(function (text) { row.insertCell().textContent = text; });
      return row;
    }));
    the("more").hidden = places.length <= state.rows;
    document.querySelectorAll("#examples-table thead th").forEach(function (head) {
      if (head.dataset.sort === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    the("head-epsilon").textContent = "epsilon, " + data.methods[state.method].label;
    the("head-other").textContent = "epsilon, " + data.methods[state.other].label;
  }

  function showScatter(places) {
    var inside = new Set(places), top = charts.SHOWN_EPSILON, board = boardOf(state.method), other = boardOf(state.other);
    var apart = board !== other && board.pool !== other.pool;
    the("apart").hidden = !apart;
    function at(value) { return isNaN(value) ? top : Math.min(value, top); }
    var common = board.examples.map(function (_, place) { return place; }).filter(function (place) {
      return board === other || (!apart && (otherEpsilon(place), other.places.has(board.examples[place])));
    });
    var rows = common.map(function (place) {
      return { example: board.examples[place], label: board.classes[board.labels[place]], a: at(epsilonOf(state.method, place)),
        b: at(otherEpsilon(place)), kept: inside.has(place) ? "yes" : "no" };
    });
    charts.behind("chart-scatter", ["example", "label", "first", "second"], function () {
      return rows.filter(function (row) { return row.kept === "yes"; }).slice(0, 500)
        .map(function (row) { return [row.example, row.label, row.a, row.b]; });
    });
    // Nothing beyond the largest epsilon is drawn.
    var most = rows.reduce(function (most, row) { return Math.max(most, row.a, row.b); }, 0);
    state.top = Math.min(Math.max(Math.ceil(most), 1), top);
    views.scatter.signal("top", state.top).data("examples", rows);
    return views.scatter.runAsync();
  }

  function showKept() {
    var places = kept();
    showExamples(places);
    return showScatter(places);
  }

  // All that depends on what is chosen; `what` changed. Counts up when it is drawn, which tests and benchmarks wait for.
  function show(what) {
    var waits = [], attacked = boardOf(state.method).shown.length > 0;
    fillOfBoard(boardOf(state.method));
    the("method").value = state.method; the("other").value = state.other; the("example").value = state.place;
    the("attack").hidden = !attacked; the("no-outputs").hidden = attacked;
    if (what !== "rows" && attacked) { showLaws(); waits.push(showRule()); }
    if (what !== "example") {
      waits.push(showKept());
      if (what !== "rows") waits.push(views.models.signal("chosen", data.methods[state.method].name).runAsync());
    } else document.querySelectorAll("#examples-body tr").forEach(function (row) {
      var button = row.querySelector("button");
      row.className = button && Number(button.dataset.place) === state.place ? "chosen" : "";
    });
    return Promise.all(waits).then(function () { document.documentElement.dataset.drawn = ++drawn; if (drawn === 1) performance.mark("drawn"); });
  }

  function option(value, text) { return new Option(text, value); }

  function fill(id, options) { options.forEach(function (one) { the(id).add(option(one[0], one[1])); }); }

  // The choices that depend on the board: examples, classes, groups.
  function fillOfBoard(board) {
    if (state.board === board) return;
    state.board = board;
    ["by-label", "by-group"].forEach(function (id) { if (the(id)) the(id).length = 1; });
    the("example").length = 0;
    fill("example", board.shown.map(function (place) {
      return [place, board.examples[place] + ", label " + board.classes[board.labels[place]]];
    }));
    fill("by-label", Object.keys(board.classes).map(function (label) { return [label, board.classes[label]]; }));
    if (board.groups) {
      fill("by-group", Array.from(new Set(board.groups)).sort(function (a, b) { return a - b; }).map(function (g) { return [g, g]; }));
    }
    if (the("by-group")) the("by-group").disabled = !board.groups;
  }

  // Another method; on another board the same example is attacked where that has it.
  function choose(method) {
    var before = boardOf(state.method), board = boardOf(method), index = before.examples[state.place];
    state.method = method;
    if (board === before) return;
    var place = before.pool === board.pool ? board.examples.indexOf(index) : -1;
    state.place = board.shown.indexOf(place) >= 0 ? place : board.shown[0];
    if (state.sort === "group" && !board.groups) state.sort = "epsilon";
  }

  function listen() {
    function on(id, event, act) { if (the(id)) the(id).addEventListener(event, act); }
    on("method", "change", function () { choose(Number(this.value)); show(); });
    on("other", "change", function () { state.other = Number(this.value); show("rows"); });
    on("example", "change", function () { state.place = Number(this.value); show("example"); });
    [["previous", -1], ["next", 1]].forEach(function (pair) {
      on(pair[0], "click", function () {
        var shown = boardOf(state.method).shown, count = shown.length, at = shown.indexOf(state.place);
        if (!count) return;
        state.place = shown[(at + pair[1] + count) % count];
        show("example");
      });
    });
    ["left", "right"].forEach(function (end) {
      ["", "-number"].forEach(function (kind) {
        on(end + kind, "input", function () {
          var value = parseFloat(this.value);
          if (isNaN(value)) return;
          state.rule = Object.assign({}, state.rule); state.rule[end] = value;
          showRule(end + kind);
        });
      });
    });
    ["threshold", "interval"].forEach(function (kind) {
      on("kind-" + kind, "change", function () {
        state.rule = { kind: kind, left: state.rule.left };
        if (kind === "interval") state.rule.right = state.rule.left + (state.to - state.from) / 4;
        showRule();
      });
    });
    on("best", "click", function () { if (state.best.rule) { state.rule = state.best.rule; showRule(); } });
    ["by-label", "by-difficulty", "by-group", "epsilon-from", "epsilon-to", "other-from", "other-to"].forEach(function (id) {
      on(id, "input", function () { state.rows = ROWS; show("rows"); });
    });
    on("clear", "click", function () {
      document.querySelectorAll("#filters select, #filters input").forEach(function (one) { one.value = ""; });
      show("rows");
    });
    on("more", "click", function () { state.rows += 5 * ROWS; show("rows"); });
    on("examples-table", "click", function (event) {
      var head = event.target.closest("thead th"), button = event.target.closest("tbody button");
      if (button) { state.place = Number(button.dataset.place); show("example"); }
      if (head) { state.down = state.sort === head.dataset.sort ? !state.down : true; state.sort = head.dataset.sort; show("rows"); }
    });
    the("chart-laws").addEventListener("pointerdown", drag);
    the("chart-laws").addEventListener("pointermove", function (event) { if (event.buttons) drag(event); });
    var waiting;
    addEventListener("resize", function () { clearTimeout(waiting); waiting = setTimeout(charts.resize, 100); });
  }

  // The pointer moves the nearer end of the rule.
  function drag(event) {
    var left = the("chart-laws").querySelector("svg").getBoundingClientRect().left + views.laws.origin()[0];
    var value = views.laws.scale("x").invert(event.clientX - left);
    if (!(value >= state.from && value <= state.to)) return;
    event.preventDefault();
    var rule = Object.assign({}, state.rule);
    var end = rule.kind === "interval" && Math.abs(value - rule.right) < Math.abs(value - rule.left) ? "right" : "left";
    rule[end] = value;
    state.rule = rule;
    showRule();
  }

  function brushed(first, second) {
    function put(id, range, end) {
      // What is drawn at the edge is that much or more.
      the(id).value = !range || (end && range[end] >= state.top) ? "" : range[end].toFixed(3);
    }
    put("epsilon-from", first, 0); put("epsilon-to", first, 1); put("other-from", second, 0); put("other-to", second, 1);
    showKept();
  }

  function start() {
    ["vega-source", "vega-lite-source"].forEach(function (id) {
      var script = document.createElement("script");
      script.textContent = the(id).textContent;
      document.head.appendChild(script);
    });
    var names = data.methods.map(function (method, place) { return [place, method.label]; });
    fill("method", names); fill("other", names);
    fill("by-difficulty", data.thirds.map(function (name, third) { return [third, name]; }));
    views = { laws: charts.laws(), scatter: charts.scatter(brushed), models: charts.models(data) };
    listen();
    var rest = [charts.utility, function (data) { charts.badly(data, epsilonOf); }];
    if (the("chart-originals")) rest.push(charts.originals);
    data.boards.forEach(function (board, place) {
      if (board.pairs.length) rest.push(function (data) { charts.pairs(data, place); });
      if (board.agreement) rest.push(function (data) { charts.agreement(data, place); });
    });
    // One after the other, so that the page answers meanwhile.
    function next() {
      if (!rest.length) { document.documentElement.dataset.whole = "yes"; return; }
      rest.shift()(data);
      setTimeout(next);
    }
    addEventListener("beforeprint", function () { while (rest.length) next(); });
    show().then(next);
  }

  window.report = { data: data, searched: searched, epsilon: epsilonOf };
  requestAnimationFrame(function () { setTimeout(start); });
})();

// Paper has no clicks: what is folded away is printed too.
(function () {
  var closed = [];
  addEventListener("beforeprint", function () {
    closed = Array.from(document.querySelectorAll("details:not([open]):not(.behind)"));
    closed.forEach(function (one) { one.open = true; });
  });
  addEventListener("afterprint", function () { closed.forEach(function (one) { one.open = false; }); });
})();
