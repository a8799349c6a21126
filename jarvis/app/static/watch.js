"use strict";
// One long answer (`stream`) brings pictures and state; small POSTs take keys, mouse and controls back, one at a time
// and in order, so that a release can never overtake its press.

const $ = (id) => document.getElementById(id);
const view = $("view"), pen = view.getContext("2d");
const TICKS_A_SECOND = 20;
let state = {};
let engaged = false;      // a person's keys and mouse go to the game
let locked = false;       // by pointer lock; without it, only the movement over the picture counts
let lost = false;

// ---------------------------------------------------------------- to the program

const queue = [];
let sending = false;

function say(event) {
  const last = queue[queue.length - 1];
  if (event[0] === "turn" && last && last[0] === "turn") { last[1] += event[1]; last[2] += event[2]; }
  else queue.push(event);
  flush();
}

async function flush() {
  if (sending || !queue.length || lost) return;
  sending = true;
  const events = queue.splice(0);
  try { await post("input", events); } catch { /* the stream says that the program has gone */ }
  sending = false;
  flush();
}

function post(where, value) {
  return fetch(where, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) });
}

let wishes = Promise.resolve();
function wish(value) { wishes = wishes.then(() => post("control", value)).catch(() => {}); }

// ---------------------------------------------------------------- from the program

async function listen() {
  const reader = (await fetch("stream")).body.getReader();
  let parts = [], held = 0;
  const take = async (count) => {
    while (held < count) {
      const { done, value } = await reader.read();
      if (done) return null;
      parts.push(value);
      held += value.length;
    }
    const all = new Uint8Array(held);
    let at = 0;
    for (const part of parts) { all.set(part, at); at += part.length; }
    parts = held > count ? [all.subarray(count)] : [];
    held -= count;
    return all.subarray(0, count);
  };
  for (;;) {
    const head = await take(8);
    if (!head) return;
    const lengths = new DataView(head.buffer, head.byteOffset, 8);
    const text = await take(lengths.getUint32(0)), picture = await take(lengths.getUint32(4));
    if (!text || !picture) return;
    const told = JSON.parse(new TextDecoder().decode(text));
    if (picture.length) draw(await createImageBitmap(new Blob([picture], { type: "image/jpeg" })));
    show(told);
  }
}

let newest = null;
function draw(bitmap) {
  newest?.close();
  newest = bitmap;
  const shape = bitmap.width / bitmap.height;
  $("screen").style.setProperty("--shape", shape);
  // Whole multiples first, then a smooth step to the size on the page: pixels stay square, sharp and of one size.
  const wide = view.clientWidth * devicePixelRatio;
  const times = Math.max(1, Math.min(Math.ceil(wide / bitmap.width - 0.05), Math.floor(2560 / bitmap.width)));
  if (view.width !== bitmap.width * times || view.height !== bitmap.height * times) {
    view.width = bitmap.width * times;
    view.height = bitmap.height * times;
  }
  pen.imageSmoothingEnabled = false;
  pen.drawImage(bitmap, 0, 0, view.width, view.height);
}
addEventListener("resize", () => {
  if (newest) createImageBitmap(newest).then(draw);
});

// ---------------------------------------------------------------- what is shown

function clock(ticks) {
  const seconds = Math.floor(ticks / TICKS_A_SECOND), pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return (hours ? hours + ":" + pad(Math.floor(seconds / 60) % 60) : Math.floor(seconds / 60)) + ":" + pad(seconds % 60);
}
const words = (name) => name.replace(/_/g, " ");
function put(id, text) { if ($(id).textContent !== text) $(id).textContent = text; }

function show(told) {
  const before = state;
  state = told;
  document.body.classList.toggle("human", !!told.human);
  put("goal", told.goal || "");
  put("who", [told.policy && "by " + told.policy, told.environment, told.seed !== undefined && "seed " + told.seed,
    told.episodes > 1 && `episode ${told.episode + 1} of ${told.episodes}`].filter(Boolean).join(" · "));
  document.title = told.goal ? `${told.goal} · jarvis` : "jarvis";
  put("tick", told.tick.toLocaleString("en") + (told.max_ticks ? " of " + told.max_ticks.toLocaleString("en") : ""));
  put("clock", clock(told.tick));
  $("elapsed").style.width = told.max_ticks ? 100 * told.tick / told.max_ticks + "%" : "0";
  const over = told.status === "over" || told.closed;
  put("state", told.success ? "reached" : told.aborted ? "aborted" : over ? "over" :
    told.status === "loading" ? "loading" : told.paused ? "paused" : "playing");
  $("state").classList.toggle("good", !!told.success || (!over && !told.paused && told.status === "playing"));
  put("pause", told.paused ? "Go on" : "Pause");
  for (const id of ["pause", "step", "speed", "end"]) $(id).disabled = lost || !!told.closed;
  if (document.activeElement !== $("speed") && told.speed !== undefined) $("speed").value = String(told.speed);
  hands(told.pressed || [], told.camera || [0, 0], told.tick, before.tick);
  if (told.milestones) milestones(told.milestones, before);
  inventory((told.facts || {}).inventory || {});
  facts(told.facts || {});
  if (engaged && over) disengage();
  veil();
}

const KEYS = [
  [...Array(9).keys()].map((slot) => [String(slot + 1), "hotbar." + (slot + 1)]),
  [["Esc", "ESC"], ["Q", "drop", "drop"], ["W", "forward"], ["E", "inventory"], ["F", "swapHands"], [null], ["Shift", "sneak"]],
  [["Ctrl", "sprint"], ["A", "left"], ["S", "back"], ["D", "right"], [null], ["Space", "jump"]],
];
const WIDTHS = { Esc: 40, Ctrl: 40, Shift: 70, Space: 98 };
const lampOf = {};
for (const lamp of document.querySelectorAll("#mouse [data-button]")) lampOf[lamp.dataset.button] = lamp;
for (const row of KEYS) {
  const line = document.createElement("div");
  for (const [label, button] of row) {
    const cap = document.createElement(label ? "span" : "em");
    if (label) { cap.textContent = label; cap.title = button; lampOf[button] = cap; }
    if (WIDTHS[label]) cap.style.width = WIDTHS[label] + "px";
    line.append(cap);
  }
  $("keys").append(line);
}

function degrees(value) {
  const rounded = Math.round(value * 10) / 10;
  return (rounded > 0 ? "+" : rounded < 0 ? "\u2212" : "") + Math.abs(rounded).toFixed(1) + "°";
}

const trail = [];
const dial = $("turn").getContext("2d");
function hands(pressed, [pitch, yaw], tick, before) {
  for (const [button, lamp] of Object.entries(lampOf)) lamp.classList.toggle("down", pressed.includes(button));
  if (tick === before) return;
  if (tick < before) trail.length = 0;
  trail.push([yaw, pitch]);
  if (trail.length > TICKS_A_SECOND) trail.shift();
  put("yaw", degrees(yaw));
  put("pitch", degrees(pitch));
  dial.clearRect(0, 0, 112, 112);
  dial.lineCap = "round";
  // The square root keeps small turns visible and large ones on the dial.
  const at = ([x, y]) => {
    const far = Math.hypot(x, y), reach = far ? Math.min(48, 11 * Math.sqrt(far)) / far : 0;
    return [56 + x * reach, 56 + y * reach];
  };
  trail.forEach((turn, index) => {
    const [x, y] = at(turn), newest = index === trail.length - 1;
    dial.strokeStyle = dial.fillStyle = newest ? "#63d2b4" : `rgba(135,142,149,${0.05 + 0.3 * index / trail.length})`;
    if (newest) { dial.lineWidth = 4; dial.beginPath(); dial.moveTo(56, 56); dial.lineTo(x, y); dial.stroke(); }
    dial.beginPath();
    dial.arc(x, y, newest ? 6 : 3, 0, 7);
    dial.fill();
  });
}

let items = {};           // item: its row in the sheet of icons
fetch("icons.json").then((answer) => answer.ok ? answer.json() : []).then((names) => {
  items = Object.fromEntries(names.map((name, index) => [name, index]));
  shown.inventory = shown.milestones = "";
  if (state.tick !== undefined) show(state);
}).catch(() => {});
const LOOKS = { log: "oak_log", planks: "oak_planks", wool: "white_wool", bed: "white_bed" };

function icon(name, size) {
  const mark = document.createElement("i");
  mark.className = "icon";
  const row = items[name] ?? items[LOOKS[name]];
  if (row === undefined) { mark.classList.add("none"); return mark; }
  mark.style.backgroundImage = "url(icons.png)";
  mark.style.backgroundSize = `${size}px auto`;
  mark.style.backgroundPosition = `0 ${-row * size}px`;
  return mark;
}

const shown = {};
function changed(what, value) {
  const text = JSON.stringify(value);
  if (shown[what] === text) return false;
  shown[what] = text;
  return true;
}

function milestones(list, before) {
  $("milestones-part").hidden = !list.length;
  if (!changed("milestones", list)) return;
  const old = Object.fromEntries(before.milestones || []);
  const next = list.findIndex(([, tick]) => tick === null);
  put("reached", `${list.filter(([, tick]) => tick !== null).length} of ${list.length}`);
  $("milestones").replaceChildren(...list.map(([name, tick], index) => {
    const line = document.createElement("li");
    line.append(icon(name, 16), words(name));
    if (tick !== null) {
      line.className = "done";
      if (old[name] === null) line.classList.add("fresh");
      const when = document.createElement("time");
      when.textContent = clock(tick);
      when.title = "tick " + tick;
      line.append(when);
    } else if (index === next) line.className = "next";
    return line;
  }));
}

function inventory(held) {
  if (!changed("inventory", held)) return;
  const names = Object.keys(held);
  put("kinds", names.length ? `${names.length} kind${names.length > 1 ? "s" : ""}` : "");
  $("inventory").replaceChildren(...names.map((name) => {
    const slot = document.createElement("li"), count = document.createElement("b");
    slot.title = `${held[name]} ${words(name)}`;
    count.textContent = held[name];
    if (name in items) slot.append(icon(name, 26), ...(held[name] > 1 ? [count] : []));
    else { slot.className = "text"; slot.append(words(name), count); }
    return slot;
  }));
}

function facts(told) {
  const life = told.life_stats || {}, place = told.location_stats || {}, rows = [];
  const number = (value, digits = 0) => Number(value).toFixed(digits);
  if (life.life !== undefined) rows.push(["health", `${number(life.life)} of 20`]);
  if (life.food !== undefined) rows.push(["food", `${number(life.food)} of 20`]);
  if (place.xpos !== undefined) rows.push(["x y z", [place.xpos, place.ypos, place.zpos].map((v) => number(v, 1)).join(", ")]);
  if (place.yaw !== undefined) rows.push(["yaw, pitch", `${number(place.yaw)}°, ${number(place.pitch)}°`]);
  if (!changed("facts", rows)) return;
  $("body-part").hidden = !rows.length;
  $("facts").replaceChildren(...rows.flatMap(([name, value]) => {
    const term = document.createElement("dt"), text = document.createElement("dd");
    term.textContent = name;
    text.textContent = value;
    return [term, text];
  }));
}

function veil() {
  let title = "", text = "";
  const over = state.status === "over" || state.closed;
  if (lost || over) {
    title = state.success ? "Reached" : state.aborted ? "Aborted" : over ? "Episode over" : "Connection lost";
    text = state.aborted || (over ? `${clock(state.tick)} played` : "The program has ended.");
  } else if (state.status === "loading") {
    title = "Making the world";
  } else if (state.human && !engaged) {
    title = state.tick ? "Paused" : "Click to play";
    text = state.tick ? "Click to go on." : state.goal;
  }
  $("legend").hidden = $("trap").hidden = !(state.human && !over && !lost && title && state.status !== "loading");
  put("veil-title", title);
  put("veil-text", text);
  $("veil").hidden = !title;
}

// ---------------------------------------------------------------- a person's hands

const CODES = {
  KeyW: "forward", KeyS: "back", KeyA: "left", KeyD: "right", Space: "jump", ShiftLeft: "sneak", ShiftRight: "sneak",
  ControlLeft: "sprint", ControlRight: "sprint", KeyR: "sprint", KeyE: "inventory", KeyQ: "drop", KeyF: "swapHands",
  Escape: "ESC", Backquote: "ESC", Tab: "ESC",
};
for (let slot = 1; slot <= 9; slot++) CODES["Digit" + slot] = "hotbar." + slot;
const MOUSE = ["attack", "pickItem", "use"];
const down = new Map();   // what is held (a key's code, a mouse button): the game's button

function press(what, button) {
  if (down.has(what)) return;
  const already = [...down.values()].includes(button);
  down.set(what, button);
  if (!already) say(["down", button]);
}
function release(what) {
  const button = down.get(what);
  down.delete(what);
  if (button && ![...down.values()].includes(button)) say(["up", button]);
}

async function engage() {
  if (!state.human || engaged || lost || state.closed || state.status !== "playing") return;
  engaged = true;
  document.body.classList.add("engaged");
  $("stage").focus({ preventScroll: true });
  wish({ pause: false });
  veil();
  try {
    // Raw counts where the system has them: no acceleration.
    await $("screen").requestPointerLock({ unadjustedMovement: true }).catch(() => $("screen").requestPointerLock());
  } catch { /* without the lock, what moves over the page counts */ }
  if (!engaged && document.pointerLockElement) document.exitPointerLock();
}

function disengage() {
  if (!engaged) return;
  engaged = locked = false;
  document.body.classList.remove("engaged");
  down.clear();
  say(["release"]);
  wish({ pause: true });
  if (document.pointerLockElement) document.exitPointerLock();
  veil();
}

document.addEventListener("pointerlockchange", () => {
  if (document.pointerLockElement === $("screen")) locked = true;
  else if (locked) disengage();
});
addEventListener("blur", disengage);
document.addEventListener("visibilitychange", () => { if (document.hidden) disengage(); });

addEventListener("keydown", (event) => {
  if (!engaged) { shortcut(event); return; }
  const button = CODES[event.code];
  if (!button) return;
  if (event.code === "Escape" && !locked && !document.fullscreenElement) { disengage(); return; }
  event.preventDefault();
  if (!event.repeat) press(event.code, button);
});
addEventListener("keyup", (event) => {
  if (!down.has(event.code)) return;
  event.preventDefault();
  release(event.code);
});
$("screen").addEventListener("mousedown", (event) => {
  if (!state.human) return;
  event.preventDefault();
  if (!engaged) return;
  if (MOUSE[event.button]) press("mouse" + event.button, MOUSE[event.button]);
});
addEventListener("mouseup", (event) => release("mouse" + event.button));
$("screen").addEventListener("click", () => { if (!engaged) engage(); });
addEventListener("mousemove", (event) => {
  if (engaged && (event.movementX || event.movementY)) say(["turn", event.movementX, event.movementY]);
});
addEventListener("contextmenu", (event) => { if (state.human) event.preventDefault(); });
let wheel = 0;
$("stage").addEventListener("wheel", (event) => {
  if (!engaged) return;
  event.preventDefault();
  wheel += event.deltaY * [1, 33, 800][event.deltaMode];
  const notches = Math.trunc(wheel / 100);
  wheel -= 100 * notches;
  if (notches) say(["wheel", notches]);
}, { passive: false });
addEventListener("beforeunload", (event) => {
  if (engaged && down.size) event.preventDefault();  // most likely Ctrl+W while sprinting
});

// ---------------------------------------------------------------- controls

function shortcut(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("button, select")) return;
  if (event.key === "p") $("pause").click();
  if (event.key === ".") $("step").click();
}
$("pause").addEventListener("click", () => {
  if (state.human && state.paused) engage();
  else wish({ pause: !state.paused });
});
$("step").addEventListener("click", () => wish({ step: true }));
$("end").addEventListener("click", () => { disengage(); wish({ end: true }); });
$("speed").addEventListener("change", () => { wish({ speed: Number($("speed").value) }); $("speed").blur(); });
$("full").addEventListener("click", async () => {
  await $("stage").requestFullscreen().catch(() => {});
  // Where the browser can, the game gets Esc and Ctrl+W too; holding Esc leaves.
  await navigator.keyboard?.lock?.().catch(() => {});
  engage();
});
document.addEventListener("fullscreenchange", () => { if (!document.fullscreenElement) navigator.keyboard?.unlock?.(); });

listen().catch(() => {}).finally(() => {
  lost = true;
  disengage();
  show(Object.assign({ tick: 0 }, state));
});
