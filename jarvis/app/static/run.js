"use strict";
// Sample videos of a run. Keys and mouse are drawn by the functions of the evaluation report, whose script stands above.
const RUN_FPS = 20;
const films = JSON.parse(document.getElementById("films").textContent);

function colourOf(name) { // the same name has the same colour everywhere
  let hash = 7;
  for (const letter of String(name)) hash = (31 * hash + letter.charCodeAt(0)) >>> 0;
  return name === null ? "#7d858d" : `hsl(${hash % 360} 38% 42%)`;
}

function project(figure) {
  const film = films[Number(figure.dataset.film)];
  const screen = el("div", { className: "screen" });
  const video = el("video", { muted: true, playsInline: true, loop: true, preload: "auto" });
  video.src = URL.createObjectURL(new Blob([bytes(film.video)], { type: "video/mp4" }));
  const caption = el("div", { className: "caption" });
  screen.append(video, caption, makePad(), makeMouse());
  const ticks = unpack(film), parts = [screen];
  video.onloadedmetadata = () => { screen.style.aspectRatio = `${video.videoWidth} / ${video.videoHeight}`; };
  const tickNow = () => Math.min(film.ticks - 1, Math.floor(video.currentTime * RUN_FPS + .01));
  let head = null;
  const skillAt = tick => film.track.find(([start, stop]) => start <= tick && tick < stop);
  if (film.track.length) {
    const track = el("div", { className: "skills", title: "segments" });
    for (const [start, stop, skill] of film.track) {
      const words = skill === null ? "" : typeof skill === "number" ? `skill ${skill}` : skill.replaceAll("_", " ");
      const part = el("span", { title: `${words || "no name"}, ${((stop - start) / RUN_FPS).toFixed(1)} s` }, words);
      part.style.flex = `${stop - start} 1 0`;
      part.style.background = colourOf(skill);
      track.append(part);
    }
    head = el("i");
    track.append(head);
    track.onclick = event => {
      const area = track.getBoundingClientRect();
      video.currentTime = film.ticks / RUN_FPS * Math.max(0, Math.min(.999, (event.clientX - area.left) / area.width));
    };
    parts.push(track);
  }
  parts.push(el("figcaption", {}, film.title, el("small", {}, film.note)));
  figure.append(...parts);
  const toggle = () => (video.paused ? video.play().catch(() => {}) : video.pause());
  screen.onclick = toggle;
  video.onplay = video.onpause = () => screen.classList.toggle("paused", video.paused);
  function draw() {
    const tick = tickNow();
    if (ticks && tick >= 0) press(screen, ticks[tick]);
    if (head) head.style.left = `${100 * video.currentTime * RUN_FPS / film.ticks}%`;
    const now = skillAt(tick);
    caption.style.opacity = now && typeof now[2] === "string" ? 1 : 0;
    if (now && typeof now[2] === "string") caption.textContent = now[2].replaceAll("_", " ");
    requestAnimationFrame(draw);
  }
  draw();
  new IntersectionObserver(([entry]) => { // plays while it is seen
    if (entry.isIntersecting) video.play().catch(() => {}); else video.pause();
  }, { threshold: .4 }).observe(screen);
}
document.querySelectorAll(".film").forEach(project);
