// The console's only script: pages stay fresh, and pictures open in place. Without it everything still works by links.
"use strict";

const REFRESH_MS = 4000;

// Live parts: the same page is asked for again, and what changed is put in its place, unless somebody is using it.
async function refresh() {
  const parts = document.querySelectorAll("[data-live]");
  if (!parts.length || document.hidden || document.querySelector("dialog[open]")) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, credentials: "same-origin", redirect: "manual" });
  if (answer.type === "opaqueredirect") location.reload(); // the session has ended: to the login
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const news = fresh.querySelectorAll("[data-live]");
  parts.forEach((part, place) => {
    if (!news[place] || part.contains(document.activeElement) || part.innerHTML === news[place].innerHTML) return;
    part.replaceChildren(...document.importNode(news[place], true).childNodes);
  });
  const foot = fresh.querySelector("footer");
  if (foot) document.querySelector("footer").replaceChildren(...document.importNode(foot, true).childNodes);
}

async function keepFresh() {
  try {
    await refresh();
  } catch {
    // The console is gone or busy: the page stays as it was, and says when it was read.
  }
  setTimeout(keepFresh, REFRESH_MS);
}

// The zoom: Enter or a click opens, Esc or a click beside closes, arrows go to the neighbours, a click on it enlarges.
const zoom = document.getElementById("zoom");
const picture = zoom.querySelector("img");
let opener = null;

function show(link) {
  opener = link;
  picture.classList.remove("actual");
  picture.classList.toggle("clear", link.classList.contains("clear"));
  picture.src = link.href;
  picture.alt = link.dataset.caption;
  zoom.querySelector("p").textContent = link.dataset.caption;
  if (!zoom.open) zoom.showModal();
}

function step(by) {
  const all = [...document.querySelectorAll("[data-zoom]")];
  const next = all[all.indexOf(opener) + by];
  if (next) show(next);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("[data-zoom]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  show(link);
});
zoom.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") step(1);
  if (event.key === "ArrowLeft") step(-1);
});
zoom.querySelector(".stage").addEventListener("click", (event) => {
  if (event.target === picture) picture.classList.toggle("actual");
  else zoom.close();
});
zoom.addEventListener("close", () => {
  picture.removeAttribute("src");
  if (opener) opener.focus();
});

// A picture that is gone from the store leaves an empty place, not a torn one.
document.addEventListener("error", (event) => {
  const torn = event.target;
  if (torn.tagName !== "IMG" || torn === picture) return;
  const place = document.createElement("span");
  place.className = torn.classList.contains("mini") ? `${torn.className} void` : "missing";
  place.textContent = torn.classList.contains("mini") ? "" : "not in the store any more";
  torn.replaceWith(place);
}, true);

// A button that spends or decides is pressed once.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method !== "post" || form.dataset.sent) {
    if (form.dataset.sent) event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
});
addEventListener("pageshow", () => document.querySelectorAll("form[data-sent]").forEach((form) => delete form.dataset.sent));

setTimeout(keepFresh, REFRESH_MS);
