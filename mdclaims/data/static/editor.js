// The editor's desk: asks the server what to mark while somebody writes, and does what the buttons and keys say.
import { blocksOf, placeOf, rangeOf, read, show, written } from "./editor_draft.js";
import { canMark, paint, paintChosen } from "./editor_marks.js";
import { fillDetail, fillList } from "./editor_panel.js";

const PAUSE = 30; // ms without a key before the server is asked
const at = (id) => document.getElementById(id);
const box = at("box");
const colours = { efficacy_claim: "green", safety_claim: "blue", stigma_framing: "magenta", call_to_action: "yellow", rule: "cyan" };
const state = { view: [], marks: null, revision: 0, shown: -1, asking: false, timer: 0, chosen: null, sample: true };

// --- asking ---

async function ask(path, body) {
  const form = body instanceof FormData;
  let answer;
  try {
    answer = await fetch(path, form ? { method: "POST", body } : { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  } catch {
    throw new Error("The server does not answer. Start it again: mdclaims serve --open");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let problem = text;
  try {
    problem = JSON.parse(text).error;
  } catch {
    // said in plain text
  }
  throw new Error(problem);
}

/** Tell a problem, or that there is none any more with what told it: checking, or taking something in. */
function tell(problem, source) {
  if (!problem && at("problem").dataset.source !== source) return;
  at("problem").hidden = !problem;
  at("problem").textContent = problem ?? "";
  at("problem").dataset.source = source;
}

function asked(view) {
  const jurisdictions = [...document.querySelectorAll("[name=jurisdiction]:checked")].map((place) => place.value);
  return { blocks: blocksOf(view), mode: at("mode").value, jurisdictions };
}

/** Ask soon: after each key once, when there is a pause. */
function changed() {
  state.revision += 1;
  box.dataset.asked = state.revision;
  clearTimeout(state.timer);
  state.timer = setTimeout(check, PAUSE);
}

async function check() {
  if (state.asking) return; // asked again when the answer is there
  state.asking = true;
  const revision = state.revision;
  const view = read(box);
  try {
    if (view.length) {
      const marks = await (await ask("/editor/check", asked(view))).json();
      if (revision === state.revision) settle(view, marks, revision);
    } else {
      settle(view, { headline: "Write or paste a text.", settings: "", context: [], notes: [], sentences: [], claims: [], corrected: 0 }, revision);
    }
    tell(null, "check");
  } catch (error) {
    tell(error.message, "check");
    box.dataset.shown = revision;
  } finally {
    state.asking = false;
    if (state.revision !== revision) check();
  }
}

// --- showing ---

function settle(view, marks, revision) {
  Object.assign(state, { view, marks, shown: revision });
  at("headline").textContent = marks.headline;
  at("context").replaceChildren(...[...marks.context, ...marks.notes].map((line) => Object.assign(document.createElement("li"), { textContent: line })));
  at("settings").textContent = marks.settings;
  draw();
  box.dataset.shown = revision; // with data-asked it tells whether the marks are those of the text
}

function wanted() {
  const chosen = (name) => new Set([...document.querySelectorAll(`[name=${name}]:checked`)].map((entry) => entry.value));
  const labels = chosen("label");
  const priorities = chosen("priority");
  return state.marks.claims.filter((claim) => labels.has(claim.label) && priorities.has(claim.priority));
}

function draw() {
  const claims = wanted();
  const left = state.marks.claims.length - claims.length;
  const folded = [left ? `${left} more not shown: see the filter.` : "", state.marks.corrected ? `${state.marks.corrected} taken back by you.` : ""];
  if (!canMark) folded.push("This browser cannot mark text; a newer one can.");
  at("folded").textContent = folded.filter(Boolean).join(" ");
  fillList(at("list"), claims, colours, go);
  paint(state.view, state.marks, claims);
  if (state.chosen !== null) choose(sentenceAtCaret() ?? state.chosen);
}

function wordsOf(n) {
  const range = rangeOf(state.view, state.marks.sentences[n]);
  return range ? range.toString().replace(/\s+/g, " ") : "";
}

/** Show the details of a sentence. */
function choose(n) {
  const sentence = state.marks.sentences[n];
  const text = sentence && wordsOf(n);
  if (!text) return close();
  const detail = at("detail");
  const open = detail.querySelector("details")?.open && state.chosen === n;
  state.chosen = n;
  // A claim can stand in several sentences; wording is shown where it can be put in.
  const isInside = (entry) => entry.block === sentence.block && sentence.start <= entry.start && entry.end <= sentence.end;
  const claims = state.marks.claims
    .filter((claim) => claim.sentences.includes(n))
    .map((claim) => ({ ...claim, wording: claim.wording.filter(isInside) }));
  fillDetail(detail, { text, claims, sentence, colours }, { close: back, use, correct: (labels) => correct(n, labels) });
  detail.querySelector("details").open = open ?? false;
  detail.hidden = false;
  paintChosen(state.view, sentence);
}

function close() {
  at("detail").hidden = true;
  state.chosen = null;
  paintChosen(state.view, null);
}

/** Close the details and go on writing where they were about. */
function back() {
  const n = state.chosen;
  close();
  if (n !== null) caretTo(n);
}

function caretTo(n) {
  const range = rangeOf(state.view, state.marks.sentences[n]);
  if (!range) return;
  range.startContainer.parentElement.scrollIntoView({ block: "nearest" });
  range.collapse(true);
  box.focus({ preventScroll: true });
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}

/** Go to a sentence: with the caret, and to its details if asked to. */
function go(n, toDetail) {
  caretTo(n);
  choose(n);
  if (toDetail) at("detail").focus();
}

function sentenceAtCaret() {
  const { anchorNode, anchorOffset } = getSelection();
  if (!anchorNode || !box.contains(anchorNode) || !state.marks) return null;
  const place = placeOf(state.view, anchorNode, anchorOffset);
  const n = place ? state.marks.sentences.findIndex((one) => one.block === place.block && one.start <= place.offset && place.offset <= one.end) : -1;
  return n < 0 ? null : n;
}

// --- doing ---

/** Put a wording in; the browser keeps it for undo. */
function use(entry) {
  const range = state.shown === state.revision ? rangeOf(state.view, entry) : null;
  if (!range || range.toString() !== entry.text) return;
  box.focus({ preventScroll: true });
  getSelection().removeAllRanges();
  getSelection().addRange(range);
  document.execCommand("insertText", false, entry.replacement);
}

async function correct(n, labels) {
  box.setAttribute("aria-busy", "true");
  try {
    if (state.shown !== state.revision) throw new Error("The text has changed since; look at the sentence again.");
    const answer = await ask("/editor/corrections", { ...asked(state.view), sentence: n, labels });
    at("kept").textContent = (await answer.json()).corrections;
    tell(null, "correct");
    changed();
    at("detail").focus();
  } catch (error) {
    tell(error.message, "correct");
  } finally {
    box.removeAttribute("aria-busy");
  }
}

/** Take a new draft in, in place of what stands there. */
function replace(blocks, sample = false) {
  close();
  show(box, blocks);
  state.sample = sample;
  state.file = null;
  at("sample").hidden = !sample;
  getSelection().removeAllRanges();
  changed();
}

/** Insert blocks at the caret. A single paragraph goes into the one that is there. */
function insert(blocks) {
  const holder = document.createElement("div");
  show(holder, blocks);
  const single = blocks.length === 1 && ["paragraph", "link"].includes(blocks[0].kind);
  box.focus({ preventScroll: true });
  document.execCommand("insertHTML", false, single ? holder.firstElementChild.innerHTML : holder.innerHTML);
}

async function take(body) {
  box.setAttribute("aria-busy", "true");
  try {
    const { blocks } = await (await ask("/editor/read", body)).json();
    tell(null, "take");
    return blocks;
  } catch (error) {
    tell(error.message, "take");
    return null;
  } finally {
    box.removeAttribute("aria-busy");
  }
}

async function takeFile(file) {
  const form = new FormData();
  form.append("file", file);
  at("headline").textContent = `Reading ${file.name} …`;
  const blocks = await take(form);
  if (!blocks) return changed();
  replace(blocks);
  if (/\.docx$/i.test(file.name)) state.file = { file, text: JSON.stringify(blocksOf(read(box))) };
}

async function takeClipboard(data) {
  const html = data.getData("text/html");
  const text = data.getData("text/plain");
  if (!html && !text) return;
  const range = getSelection().rangeCount ? getSelection().getRangeAt(0).cloneRange() : null;
  // What a CMS keeps is pasted as text, whatever colours an editor gives it on the clipboard.
  const source = /^\s*(?:---\n|<!-- wp:|<!doctype|<html)/i.test(text);
  const blocks = await take(html && !source ? { text: html, format: "html" } : { text });
  if (!blocks) return;
  if (state.sample || !box.textContent.trim()) return replace(blocks);
  if (range && box.contains(range.commonAncestorContainer)) {
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  }
  insert(blocks);
}

async function copy() {
  const { html, text } = written(read(box));
  try {
    const item = { "text/html": new Blob([html], { type: "text/html" }), "text/plain": new Blob([text], { type: "text/plain" }) };
    await navigator.clipboard.write([new ClipboardItem(item)]);
  } catch {
    document.addEventListener("copy", (event) => {
      event.preventDefault();
      event.clipboardData.setData("text/html", html);
      event.clipboardData.setData("text/plain", text);
    }, { once: true });
    document.execCommand("copy");
  }
  said(at("copy"), "Copied");
}

/** The Word file itself gets the comments, as long as the draft is what stands in it. */
function reviewed() {
  const view = read(box);
  if (!state.file || JSON.stringify(blocksOf(view)) !== state.file.text) return ask("/editor/report", asked(view));
  const { mode, jurisdictions } = asked(view);
  const form = new FormData();
  form.append("file", state.file.file);
  form.append("mode", mode);
  for (const name of jurisdictions) form.append("jurisdictions", name);
  return ask("/editor/word", form);
}

async function download() {
  try {
    const answer = await reviewed();
    const name = /filename="([^"]+)"/.exec(answer.headers.get("content-disposition"))[1];
    const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(await answer.blob()), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    said(at("download"), "Downloaded");
    tell(null, "download");
  } catch (error) {
    tell(error.message, "download");
  }
}

function said(button, text) {
  const before = (button.dataset.before ??= button.textContent);
  button.textContent = text;
  setTimeout(() => (button.textContent = before), 2_000);
}

// --- events ---

box.addEventListener("input", (event) => {
  // A new paragraph behind a button or title is none.
  const element = event.inputType === "insertParagraph" && getSelection().anchorNode;
  const block = element && (element.nodeType === Node.TEXT_NODE ? element.parentElement : element).closest("[data-kind]");
  if (block && box.contains(block) && !block.textContent.trim()) for (const name of Object.keys(block.dataset)) delete block.dataset[name];
  state.sample = false;
  at("sample").hidden = true;
  changed();
});
box.addEventListener("beforeinput", (event) => {
  if (event.inputType.startsWith("format")) event.preventDefault();
});
box.addEventListener("click", () => {
  const n = state.shown === state.revision ? sentenceAtCaret() : null;
  if (n === null) close();
  else choose(n);
});
box.addEventListener("paste", (event) => {
  event.preventDefault();
  const file = event.clipboardData.files[0];
  if (file && !event.clipboardData.getData("text/plain")) takeFile(file);
  else takeClipboard(event.clipboardData);
});
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const file = event.dataTransfer.files[0];
  if (file) takeFile(file);
  else takeClipboard(event.dataTransfer);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "F8" && state.marks) {
    event.preventDefault();
    const marked = [...new Set(wanted().flatMap((claim) => claim.sentences))].sort((one, other) => one - other);
    const here = sentenceAtCaret() ?? state.chosen ?? -1;
    const next = event.shiftKey ? marked.filter((n) => n < here).at(-1) ?? marked.at(-1) : marked.find((n) => n > here) ?? marked[0];
    if (next !== undefined) go(next, false);
  } else if (event.key === "Enter" && event.altKey && box.contains(document.activeElement)) {
    event.preventDefault();
    const n = sentenceAtCaret();
    if (n !== null) {
      choose(n);
      at("detail").focus();
    }
  } else if (event.key === "Escape" && !at("detail").hidden) {
    back();
  }
});
at("filter").addEventListener("change", () => state.marks && draw());
at("asked").addEventListener("change", (event) => {
  const places = [...document.querySelectorAll("[name=jurisdiction]")];
  if (event.target === at("unsure")) places.forEach((place) => (place.checked = false));
  at("unsure").checked = !places.some((place) => place.checked);
  changed();
});
at("copy").addEventListener("click", copy);
at("download").addEventListener("click", download);
at("clear").addEventListener("click", () => {
  replace([]);
  box.focus();
});
at("open").addEventListener("click", () => at("file").click());
at("file").addEventListener("change", () => {
  if (at("file").files[0]) takeFile(at("file").files[0]);
  at("file").value = "";
});

document.execCommand("defaultParagraphSeparator", false, "p");
document.execCommand("styleWithCSS", false, false);
fetch("/editor/sample")
  .then((answer) => answer.json())
  .then(({ blocks }) => {
    if (!box.textContent.trim()) replace(blocks, true);
  })
  .catch(() => tell("The server does not answer. Start it again: mdclaims serve --open", "sample"));
