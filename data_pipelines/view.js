"use strict";
const $ = id => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const video = $("video"), last = data.ticks - 1;
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const C = Object.fromEntries(["ground", "raised", "line", "text", "dim", "faint", "accent", "warm"].map(n => [n, css("--" + n)]));
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const plain = name => String(name ?? "").replaceAll("_", " ");
const element = (tag, text, attributes = {}) => Object.assign(document.createElement(tag), {textContent: text ?? ""}, attributes);
let now = 0;                                   // the tick that is shown

// time

const second = tick => data.times ? data.times[tick] : tick / data.rate;
function tickAt(time) {
  if (!data.times) return clamp(Math.floor(time * data.rate + 0.01), 0, last);
  let low = 0, high = last;
  while (low < high) { const middle = (low + high + 1) >> 1; if (data.times[middle] <= time + 0.001) low = middle; else high = middle - 1; }
  return low;
}
const clock = tick => { const s = tick / 20; return `${Math.floor(s / 60)}:${(s % 60).toFixed(2).padStart(5, "0")}`; };
function seek(tick) {
  now = clamp(Math.round(tick), 0, last);
  // half a frame later, so that rounding never shows the frame before
  video.currentTime = second(now) + (data.times ? 0.002 : 0.5 / data.rate);
  show();
}

// what happens at a tick

const inside = (runs, tick) => {               // index of the run [start, stop, ...] that holds the tick, or -1
  let low = 0, high = runs.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1, run = runs[middle];
    if (tick < run[0]) high = middle - 1; else if (tick >= run[1]) low = middle + 1; else return middle;
  }
  return -1;
};
const names = new Map();
for (const [, segments] of data.tracks) for (const [start, stop, skill] of segments)
  if (skill !== null) names.set(skill, (names.get(skill) ?? 0) + stop - start);
const HUES = [164, 28, 208, 48, 330, 268, 92, 190, 8, 238, 124, 300];
const coarse = new Set((data.tracks[0]?.[1] ?? []).map(segment => segment[2]));   // they get the clearest colours
const colours = new Map([...names].sort((a, b) => coarse.has(b[0]) - coarse.has(a[0]) || b[1] - a[1]).map(([name], i) =>
  [name, `hsl(${HUES[i % 12]} ${i < 12 ? 46 : 30}% ${i < 12 ? 52 : 42}%)`]));
const colour = skill => colours.get(skill) ?? "#3a4046";

// the hands

const ROWS = [["Q:drop", "W:forward", "E:inventory", "F:swapHands", "Esc:ESC"], ["A:left", "S:back", "D:right"],
  ["shift:sneak", "space:jump", "ctrl:sprint"], [1, 2, 3, 4, 5, 6, 7, 8, 9].map(n => `${n}:hotbar.${n}`)];
const caps = {};
for (const row of ROWS) {
  const line = element("div", "", {className: row.length === 9 ? "small" : ""});
  for (const [label, name] of row.map(key => key.split(":"))) {
    const cap = element("span", label, {title: name});
    if (label === "space") cap.style.minWidth = "84px";
    if (label === "A") cap.style.marginLeft = "8px";
    caps[name] = cap; line.append(cap);
  }
  $("keys").append(line);
}
const held = name => inside(data.keys[name], now) >= 0;

function canvas(node, height) {                // sized in device pixels, drawn in CSS pixels
  const ratio = devicePixelRatio || 1, width = node.clientWidth;
  if (height) node.style.height = height + "px"; else height = node.clientHeight;
  if (node.width !== Math.round(width * ratio) || node.height !== Math.round(height * ratio)) {
    node.width = Math.round(width * ratio); node.height = Math.round(height * ratio);
  }
  const g = node.getContext("2d");
  g.setTransform(ratio, 0, 0, ratio, 0, 0); g.clearRect(0, 0, width, height);
  return [g, width, height];
}

function drawMouse() {
  const [g, width] = canvas($("dial"));
  const w = 62, h = 92, x = (width - w) / 2, y = 2;
  const body = new Path2D(); body.roundRect(x, y, w, h, 30);
  g.fillStyle = C.raised; g.fill(body);
  g.save(); g.clip(body); g.fillStyle = C.accent;
  if (held("attack")) g.fillRect(x, y, w / 2, 36);
  if (held("use")) g.fillRect(x + w / 2, y, w / 2, 36);
  g.restore();
  g.strokeStyle = C.line; g.lineWidth = 1; g.stroke(body);
  g.beginPath(); g.moveTo(x, y + 36.5); g.lineTo(x + w, y + 36.5); g.moveTo(x + w / 2, y); g.lineTo(x + w / 2, y + 36); g.stroke();
  g.beginPath(); g.roundRect(x + w / 2 - 4, y + 11, 8, 16, 4);
  g.fillStyle = held("pickItem") ? C.accent : C.ground; g.fill(); g.stroke();
  // the motion of this tick, and fainter those just before: square root of degrees, so that small turns can be seen
  const cx = x + w / 2, cy = y + 64, reach = 22;
  for (let back = 6; back >= 0; back--) {
    const turn = data.camera[now - back]; if (!turn) continue;
    const [pitch, yaw] = turn, size = Math.hypot(pitch, yaw);
    g.globalAlpha = back ? 0.35 - back * 0.05 : 1;
    g.strokeStyle = g.fillStyle = back ? C.dim : C.warm;
    const length = Math.min(reach, Math.sqrt(size) * 6.5);
    if (size) {
      g.lineWidth = 2; g.lineCap = "round"; g.beginPath(); g.moveTo(cx, cy);
      g.lineTo(cx + yaw / size * length, cy + pitch / size * length); g.stroke();
    }
    if (!back) { g.beginPath(); g.arc(cx, cy, 2.5, 0, 7); g.fillStyle = size ? C.warm : C.faint; g.fill(); }
  }
  g.globalAlpha = 1;
  const [pitch, yaw] = data.camera[now], signed = v => (v > 0 ? "+" : v < 0 ? "\u2212" : "") + Math.abs(v).toFixed(2);
  $("degrees").replaceChildren(element("span", `pitch ${signed(pitch)}\u00b0`), element("span", `yaw ${signed(yaw)}\u00b0`));
}

const ARROW = new Path2D("M0 0V14.5L3.6 11.2L6.2 17L8.8 15.8L6.2 10.2H11Z");
function drawOver() {
  const [g, width, height] = canvas($("over"));
  const point = $("points").checked && data.points[now];
  if (point) {
    const x = point[0] * width, y = point[1] * height;
    g.lineWidth = 3.5; g.strokeStyle = "rgb(0 0 0 / .55)";
    for (let pass = 0; pass < 2; pass++) {
      g.beginPath(); g.arc(x, y, 11, 0, 7); g.stroke();
      g.beginPath(); for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { g.moveTo(x + dx * 7, y + dy * 7); g.lineTo(x + dx * 16, y + dy * 16); } g.stroke();
      g.lineWidth = 1.5; g.strokeStyle = C.warm;
    }
    if (point[2]) {
      g.font = "600 12px system-ui, sans-serif"; g.textBaseline = "middle";
      const text = plain(point[2]), w = g.measureText(text).width, left = x + 22 + w < width ? x + 20 : x - 20 - w;
      g.fillStyle = "rgb(10 12 14 / .72)"; g.beginPath(); g.roundRect(left - 6, y - 10, w + 12, 20, 5); g.fill();
      g.fillStyle = C.warm; g.fillText(text, left, y + 0.5);
    }
  }
  const cursor = data.cursor[now];
  if (cursor) {
    g.save(); g.translate(cursor[0] * width, cursor[1] * height); g.scale(width / 640, width / 640);
    g.lineJoin = "round"; g.lineWidth = 2; g.strokeStyle = "#000"; g.stroke(ARROW);
    g.fillStyle = held("attack") ? C.accent : held("use") ? C.warm : "#fff"; g.fill(ARROW);
    g.restore();
  }
}

// the lists

const items = data.events.map(([tick, name, item, count]) => {
  const row = element("li"); row.append(element("time", clock(tick)), element("span", `${plain(name)} ${plain(item)}${count > 1 ? ` \u00d7 ${count}` : ""}`));
  row.onclick = () => seek(tick); return row;
});
$("events").append(...items);
let followed = -1;
function lists() {
  let reached = -1;
  data.events.forEach(([tick], i) => {
    if (tick <= now) reached = i;
    items[i].className = (tick <= now ? "past" : "") + (tick <= now && now < tick + 10 ? " now" : "");
  });
  if (reached !== followed && items.length) {
    const row = items[Math.max(reached, 0)], list = $("events");
    list.scrollTop = row.offsetTop - list.clientHeight * 0.6; followed = reached;
  }
  const index = data.inventory.findLastIndex(([tick]) => tick <= now);
  if (index !== lists.index) {
    lists.index = index;
    const carried = index < 0 ? {} : data.inventory[index][1], before = index > 0 ? data.inventory[index - 1][1] : {};
    const rows = Object.entries(carried).map(([item, count]) => {
      const row = element("li", plain(item), {className: index && before[item] !== count ? "new" : ""});
      row.append(element("b", count)); return row;
    });
    $("inventory").replaceChildren(...(rows.length ? rows : [element("li", "empty", {className: "none"})]));
  }
}

// the timeline

const GROUPS = [["W", "forward"], ["S", "back"], ["A", "left"], ["D", "right"], ["jump", "jump"], ["sneak", "sneak"],
  ["sprint", "sprint"], ["attack", "attack"], ["use", "use"], ["drop", "drop"], ["inventory", "inventory"],
  ["esc", "ESC"], ["swap", "swapHands"], ["pick", "pickItem"]];
const lanes = [];
for (const [name, segments] of data.tracks) lanes.push({kind: "track", label: name, segments, height: lanes.length ? 17 : 22});
if (data.events.length) lanes.push({kind: "events", label: "events", height: 15});
for (const [label, name] of GROUPS) if (data.keys[name].length) lanes.push({kind: "key", label, name, runs: data.keys[name], height: 9});
const hotbar = [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap(n => data.keys["hotbar." + n].map(run => [...run, n]));
if (hotbar.length) lanes.push({kind: "hotbar", label: "hotbar", runs: hotbar, height: 11});
lanes.push({kind: "camera", label: "camera", height: 46});
for (const [label, values] of data.curves) {
  const known = values.filter(v => v !== null), low = Math.min(0, ...known.slice(0, 1e5)), high = Math.max(1e-9, ...known.slice(0, 1e5));
  lanes.push({kind: "curve", label, values, low, high, height: 30});
}
const LEFT = 76, GAP = 3;
const gaps = lanes.map((lane, i) => i && lane.kind === lanes[i - 1].kind && lane.kind === "key" ? 1.5 : i ? GAP + 2 : 0);
const total = lanes.reduce((sum, lane, i) => sum + lane.height + gaps[i], 0) + 20;
let from = 0, to = data.ticks;                 // the ticks in view
if (data.ticks > 1200) to = 600;
const scale = width => (width - LEFT) / (to - from);
function view(start, stop) {
  const span = clamp(stop - start, 20, Math.max(20, data.ticks));
  from = clamp(start, 0, Math.max(0, data.ticks - span)); to = from + span;
}

function ruler(g, width) {
  const step = [1, 2, 5, 10, 20, 40, 100, 200, 400, 1200, 2400, 6000, 12000].find(s => s * scale(width) >= 64) ?? 24000;
  g.font = "10px system-ui, sans-serif"; g.textBaseline = "alphabetic"; g.textAlign = "left";
  for (let tick = Math.ceil(from / step) * step; tick < to; tick += step) {
    const x = LEFT + (tick - from) * scale(width);
    g.fillStyle = C.line; g.fillRect(x, 14, 1, total - 14);
    g.fillStyle = C.faint; g.fillText(step < 20 ? `${tick}` : clock(tick).replace(/\.00$/, ""), x + 4, 10);
  }
}

function visible(runs) {                       // the part of sorted runs that is in view
  let low = 0, high = runs.length;
  while (low < high) { const middle = (low + high) >> 1; if (runs[middle][1] <= from) low = middle + 1; else high = middle; }
  const start = low; high = runs.length;
  while (low < high) { const middle = (low + high) >> 1; if (runs[middle][0] < to) low = middle + 1; else high = middle; }
  return runs.slice(start, low);
}

function line(g, width, y, height, value, low, high, style) {
  g.strokeStyle = style; g.lineWidth = 1.25; g.beginPath();
  const k = scale(width), every = Math.max(1, Math.floor(0.5 / k)); let drawing = false;
  for (let tick = Math.max(0, Math.floor(from) - 1); tick < Math.min(to + 2, data.ticks); tick += every) {
    const v = value(tick);
    if (v === null) { drawing = false; continue; }
    const x = LEFT + (tick + 0.5 - from) * k, at = y + height - (clamp(v, low, high) - low) / (high - low) * height;
    if (drawing) g.lineTo(x, at); else g.moveTo(x, at); drawing = true;
  }
  g.stroke();
}

const bent = degrees => Math.sign(degrees) * Math.log1p(Math.abs(degrees)) / Math.log(11);   // small turns can be seen
function drawTimeline() {
  const [g, width] = canvas($("timeline"), total), k = scale(width), at = tick => LEFT + (tick - from) * k;
  ruler(g, width);
  g.save(); g.beginPath(); g.rect(LEFT, 0, width - LEFT, total); g.clip();
  g.fillStyle = "rgb(232 180 90 / .07)";
  for (const [start, stop] of visible(data.gui)) g.fillRect(at(start), 14, (stop - start) * k, total);
  let y = 18;
  lanes.forEach((lane, i) => {
    y += gaps[i]; lane.y = y; const h = lane.height;
    if (lane.kind === "track") for (const [start, stop, skill] of visible(lane.segments)) {
      const x = at(start), w = Math.max(1, (stop - start) * k - 1);
      g.fillStyle = colour(skill); g.globalAlpha = lane.label === "part" ? 0.62 : 1;
      g.beginPath(); g.roundRect(x, y, w, h, Math.min(3, w / 2)); g.fill(); g.globalAlpha = 1;
      const text = plain(skill ?? ""), seen = Math.max(x, LEFT), room = Math.min(x + w, width) - seen - 10;
      if (room > 16) {
        g.save(); g.beginPath(); g.rect(seen, y, room + 7, h); g.clip();
        g.font = `${h > 20 ? "600 12px" : "11px"} system-ui, sans-serif`; g.textBaseline = "middle"; g.fillStyle = "#0a0d0c";
        if (g.measureText(text).width <= room + 4 || room > 40) g.fillText(text, seen + 5, y + h / 2 + 0.5);
        g.restore();
      }
    } else if (lane.kind === "events") for (const [tick, name] of data.events) {
      if (tick < from - 1 || tick > to) continue;
      g.fillStyle = name === "craft_item" ? C.accent : name === "mine_block" ? C.warm : name === "pickup" ? "#7fb0e8" : C.dim;
      const x = at(tick + 0.5), m = y + h / 2, r = 4.5;
      g.beginPath(); g.moveTo(x, m - r); g.lineTo(x + r, m); g.lineTo(x, m + r); g.lineTo(x - r, m); g.fill();
    } else if (lane.kind === "key") {
      g.fillStyle = "rgb(255 255 255 / .025)"; g.fillRect(LEFT, y, width, h);
      g.fillStyle = lane.name === "attack" || lane.name === "use" ? C.accent : "#8fa3ad";
      for (const [start, stop] of visible(lane.runs)) g.fillRect(at(start), y, Math.max(1, (stop - start) * k - (k > 6 ? 1 : 0)), h);
    } else if (lane.kind === "hotbar") for (const [start, stop, slot] of lane.runs) {
      if (stop < from || start > to) continue;
      g.fillStyle = "#8fa3ad"; g.fillRect(at(start), y + h - 2, Math.max(1, (stop - start) * k), 2);
      g.font = "9px system-ui, sans-serif"; g.textBaseline = "alphabetic"; g.fillText(slot, at(start), y + h - 3);
    } else if (lane.kind === "camera") {
      g.fillStyle = C.line; g.fillRect(LEFT, y + h / 2, width, 1);
      line(g, width, y, h, tick => bent(data.camera[tick]?.[1] ?? 0), -1.05, 1.05, "#7fb0e8");
      line(g, width, y, h, tick => -bent(data.camera[tick]?.[0] ?? 0), -1.05, 1.05, C.warm);
    } else line(g, width, y, h, tick => lane.values[tick] ?? null, lane.low, lane.high, C.accent);
    y += h;
  });
  const x = at(now + 0.5);
  g.fillStyle = C.text; g.globalAlpha = 0.14; g.fillRect(at(now), 14, Math.max(1, k), total); g.globalAlpha = 1;
  g.fillRect(Math.round(x) - 0.5, 12, 1.5, total);
  g.beginPath(); g.moveTo(x - 5, 6); g.lineTo(x + 5, 6); g.lineTo(x, 13); g.fill();
  g.restore();
  g.textAlign = "right"; g.textBaseline = "middle";
  for (const lane of lanes) {
    const on = lane.kind === "key" && inside(lane.runs, now) >= 0;
    g.font = `${lane.kind === "key" ? 10 : 11}px system-ui, sans-serif`; g.fillStyle = on ? C.text : lane.kind === "key" ? C.faint : C.dim;
    if (lane.kind === "camera") {
      g.fillStyle = "#7fb0e8"; g.fillText("yaw \u2192", LEFT - 9, lane.y + lane.height / 2 - 8);
      g.fillStyle = C.warm; g.fillText("pitch \u2191", LEFT - 9, lane.y + lane.height / 2 + 8);
    } else g.fillText(lane.label, LEFT - 9, lane.y + lane.height / 2 + 0.5);
  }
  g.textAlign = "left";
}

function drawOverview() {
  const [g, width, height] = canvas($("overview")), k = (width - LEFT) / data.ticks;
  g.fillStyle = C.raised; g.beginPath(); g.roundRect(LEFT, 0, width - LEFT, height, 4); g.fill();
  const [, segments] = data.tracks[0] ?? ["", []];
  for (const [start, stop, skill] of segments) { g.fillStyle = colour(skill); g.globalAlpha = 0.75; g.fillRect(LEFT + start * k, 4, Math.max(0.6, (stop - start) * k - 0.4), height - 13); }
  g.globalAlpha = 1;
  if (!segments.length) { g.fillStyle = "#3a4046"; for (const name of Object.keys(data.keys)) for (const [start, stop] of data.keys[name]) g.fillRect(LEFT + start * k, 4, Math.max(0.5, (stop - start) * k), height - 13); }
  g.fillStyle = "#7d868d"; for (const [tick] of data.events) g.fillRect(LEFT + tick * k, height - 7, 1, 4);
  g.fillStyle = C.dim; g.font = "11px system-ui, sans-serif"; g.textAlign = "right"; g.textBaseline = "middle"; g.fillText("whole", LEFT - 9, height / 2); g.textAlign = "left";
  g.strokeStyle = C.text; g.lineWidth = 1.5; g.beginPath(); g.roundRect(LEFT + from * k + 0.75, 0.75, Math.max(4, (to - from) * k - 1.5), height - 1.5, 4); g.stroke();
  g.fillStyle = C.text; g.fillRect(LEFT + (now + 0.5) * k - 0.75, 0, 1.5, height);
}

// together

function show() {
  for (const [name, cap] of Object.entries(caps)) cap.className = held(name) ? "down" : "";
  const track = name => data.tracks.find(([n]) => n === name)?.[1] ?? [];
  const first = data.tracks[0]?.[1] ?? [], i = inside(first, now), skill = i < 0 ? null : first[i][2];
  $("skill").textContent = plain(skill ?? (data.tracks.length ? "\u2013" : ""));
  $("skill").style.setProperty("--skill", skill === null ? "transparent" : colour(skill));
  const j = inside(track("part"), now), point = data.points[now];
  $("part").textContent = [j < 0 ? "" : plain(track("part")[j][2]), point?.[2] ? plain(point[2]) : ""].filter(Boolean).join(" \u00b7 ");
  const b = element("b", clock(now)), rest = element("i", `tick ${now} of ${last}`);
  $("clock").replaceChildren(b, rest);
  const margin = (to - from) * 0.12;
  if (!video.paused && (now > to - margin || now < from)) view(now - margin, now - margin + to - from);
  else if (now >= to || now < from) view(now - (to - from) / 2, now + (to - from) / 2);
  lists(); drawMouse(); drawOver(); drawTimeline(); drawOverview();
}
const follow = (_, frame) => {                 // a paused video may still show a frame from before the last seek
  if (!video.paused) { now = tickAt(frame.mediaTime); show(); }
  video.requestVideoFrameCallback(follow);
};
video.requestVideoFrameCallback?.(follow);
video.ontimeupdate = () => { if (!video.requestVideoFrameCallback && !video.paused) { now = tickAt(video.currentTime); show(); } };
video.onplay = video.onpause = () => { $("play").textContent = video.paused ? "Play" : "Pause"; show(); };
const toggle = () => { if (video.paused) { if (now >= last) seek(0); video.play(); } else { video.pause(); seek(now); } };
const step = by => { video.pause(); seek(now + by); };
$("play").onclick = toggle; $("back").onclick = () => step(-1); $("forth").onclick = () => step(1);
$("speed").onchange = () => { video.playbackRate = Number($("speed").value); };
$("points").onchange = show;

function jump(starts, direction) {
  const next = direction > 0 ? starts.find(tick => tick > now) : starts.findLast(tick => tick < now);
  if (next !== undefined) { video.pause(); seek(next); }
}
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
  const starts = (data.tracks[0]?.[1] ?? []).map(segment => segment[0]), ticks = data.events.map(e => e[0]);
  const actions = {" ": toggle, ArrowLeft: () => step(event.shiftKey ? -20 : -1), ArrowRight: () => step(event.shiftKey ? 20 : 1),
    Home: () => step(-now), End: () => step(last), "[": () => jump(starts, -1), "]": () => jump(starts, 1),
    ",": () => jump(ticks, -1), ".": () => jump(ticks, 1)};
  if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
});

const timeline = $("timeline");
const tickUnder = event => from + (event.offsetX - LEFT) / scale(timeline.clientWidth);
let drag = null;
timeline.onpointerdown = event => { drag = {x: event.clientX, from, to, moved: false}; timeline.setPointerCapture(event.pointerId); };
timeline.onpointermove = event => {
  if (drag && (drag.moved || Math.abs(event.clientX - drag.x) > 4)) {
    drag.moved = true; timeline.className = "drag";
    const by = (drag.x - event.clientX) / scale(timeline.clientWidth); view(drag.from + by, drag.to + by); drawTimeline(); drawOverview();
  }
  const tick = Math.floor(tickUnder(event)), lane = lanes.find(l => event.offsetY >= l.y - 1 && event.offsetY < l.y + l.height + 1), tip = $("tip");
  tip.hidden = !lane || event.offsetX < LEFT || tick < 0 || tick > last || Boolean(drag?.moved);
  if (tip.hidden) return;
  const parts = [];
  if (lane.kind === "track") { const i = inside(lane.segments, tick); if (i >= 0) { const [a, b, skill, score] = lane.segments[i]; parts.push(plain(skill ?? "no name"), `${((b - a) / 20).toFixed(2)} s, ticks ${a} to ${b - 1}${score === null ? "" : `, score ${score.toFixed(2)}`}`); } }
  else if (lane.kind === "events") { const near = data.events.filter(([t]) => Math.abs(t - tick) * scale(timeline.clientWidth) < 6); if (near.length) parts.push(near.map(([, n, item, c]) => `${plain(n)} ${plain(item)}${c > 1 ? ` \u00d7 ${c}` : ""}`).slice(0, 6).join(", "), clock(near[0][0])); }
  else if (lane.kind === "key") { const i = inside(lane.runs, tick); if (i >= 0) parts.push(lane.name, `${lane.runs[i][1] - lane.runs[i][0]} ticks`); }
  else if (lane.kind === "camera") parts.push(`pitch ${data.camera[tick][0]}\u00b0, yaw ${data.camera[tick][1]}\u00b0`, `tick ${tick}`);
  else if (lane.kind === "curve") parts.push(`${lane.label} ${lane.values[tick] ?? "\u2013"}`, `tick ${tick}`);
  tip.hidden = !parts.length;
  tip.replaceChildren(element("div", parts[0]), element("div", parts[1], {className: "dim"}));
  tip.style.left = clamp(event.clientX + 14, 0, innerWidth - tip.offsetWidth - 8) + "px";
  tip.style.top = event.clientY - tip.offsetHeight - 12 + "px";
};
timeline.onpointerup = event => { if (drag && !drag.moved && event.offsetX >= LEFT) { video.pause(); seek(Math.floor(tickUnder(event))); } drag = null; timeline.className = ""; };
timeline.onpointerleave = () => { $("tip").hidden = true; };
timeline.addEventListener("wheel", event => {
  event.preventDefault();
  if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) view(from + event.deltaX / scale(timeline.clientWidth), to + event.deltaX / scale(timeline.clientWidth));
  else { const tick = tickUnder(event), by = Math.exp(event.deltaY * 0.0016); view(tick - (tick - from) * by, tick + (to - tick) * by); }
  drawTimeline(); drawOverview();
}, {passive: false});
const overview = $("overview");
const pick = event => { if (event.buttons) { video.pause(); seek((event.offsetX - LEFT) / (overview.clientWidth - LEFT) * data.ticks); } };
overview.onpointerdown = event => { overview.setPointerCapture(event.pointerId); pick(event); };
overview.onpointermove = pick;

$("title").textContent = data.title;
const facts = {...data.facts, source: data.source, length: `${clock(data.ticks).replace(/\.\d+$/, "")} (${data.ticks} ticks)`,
  video: `${data.size[0]}\u00d7${data.size[1]}, ${+data.rate.toFixed(2)} a second`};
for (const [name, value] of Object.entries(facts)) { const row = element("div"); row.append(element("dt", plain(name)), element("dd", plain(value))); $("facts").append(row); }
if (data.notes.length) { $("notes").hidden = false; $("notes").textContent = data.notes.join(" \u00b7 "); $("notes").title = data.notes.join("\n"); }
if (!data.tracks.length) $("doing").hidden = true;
if (!data.inventory.length) $("held").hidden = true;
if (!data.events.length) $("happened").hidden = true;
$("screen").style.setProperty("--shape", data.size[0] / data.size[1]);
$("stage").style.setProperty("--shape", data.size[0] / data.size[1]);
if (video.dataset.link) video.src = video.dataset.link;
else {
  const bytes = Uint8Array.from(atob($("film").textContent.trim()), c => c.charCodeAt(0));
  video.src = URL.createObjectURL(new Blob([bytes], {type: "video/mp4"})); $("film").remove();
}
video.onloadeddata = () => { document.body.dataset.ready = "true"; show(); };
video.onerror = () => { $("notes").hidden = false; $("notes").textContent = "This browser cannot show the video: " + (video.error?.message || "unknown format"); show(); };
new ResizeObserver(show).observe(document.body);
seek(Number(location.hash.slice(1)) || 0);
