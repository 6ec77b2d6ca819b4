// The box and the draft: blocks as the server knows them become elements, and elements blocks again.
// Text only ever enters the page as text.

const BLOCKS = new Set(["P", "DIV", "H1", "H2", "H3", "H4", "H5", "H6", "LI", "BLOCKQUOTE", "UL", "OL", "SECTION", "PRE", "TABLE", "TBODY", "TR", "TD", "TH"]);
const SAFE = new Set(["http:", "https:", "mailto:", "tel:"]);

// --- blocks to elements ---

/** Replace what stands in an element by blocks. */
export function show(box, blocks) {
  box.replaceChildren();
  if (!blocks.length) box.append(emptyParagraph());
  let list = null;
  for (const block of blocks) {
    if (block.kind !== "list_item") list = null;
    else if (!list) box.append((list = document.createElement("ul")));
    (list ?? box).append(elementOf(block));
  }
}

/** Return a paragraph that has the height of a line. */
function emptyParagraph() {
  const element = document.createElement("p");
  element.append(document.createElement("br"));
  return element;
}

function elementOf(block) {
  const element = document.createElement(tagOf(block));
  if (block.kind !== kindOf(element)) element.dataset.kind = block.kind;
  if (block.region !== "main") element.dataset.region = block.region;
  if (block.hidden) element.dataset.unseen = "";
  if (block.page) element.dataset.page = block.page;
  for (const run of block.runs) {
    let parent = element;
    if (run.address && isSafe(run.address)) {
      parent = document.createElement("a");
      parent.setAttribute("href", run.address);
      element.append(parent);
    }
    run.text.split("\n").forEach((line, n) => {
      if (n) parent.append(document.createElement("br"));
      if (line) parent.append(line);
    });
  }
  return element;
}

function tagOf(block) {
  if (block.kind === "heading") return `h${block.level ?? 2}`;
  return { list_item: "li", quote: "blockquote" }[block.kind] ?? "p";
}

function isSafe(address) {
  try {
    return SAFE.has(new URL(address, "https://draft.invalid/").protocol);
  } catch {
    return false;
  }
}

// --- elements to blocks ---

function kindOf(element) {
  if (/^H[1-6]$/.test(element.tagName)) return "heading";
  return { LI: "list_item", BLOCKQUOTE: "quote", TD: "cell", TH: "cell" }[element.tagName] ?? "paragraph";
}

/** Return the blocks of the box, and for each the text nodes that it is made of with the offsets at which they begin. */
export function read(box) {
  const view = [];
  let current = null;

  function add(text, address, element, node) {
    if (!current) current = { element, texts: [], runs: [], length: 0 };
    if (node) current.texts.push({ node, start: current.length });
    const last = current.runs.at(-1);
    if (last && last.address === address) last.text += text;
    else current.runs.push({ text, address });
    current.length += text.length;
  }
  function end() {
    if (current && current.texts.length) view.push(current);
    current = null;
  }
  function walk(node, element, address) {
    for (const child of node.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) {
        if (child.data) add(child.data, address, element, child);
      } else if (child.tagName === "BR") {
        if (current) add("\n", address, element, null);
      } else if (BLOCKS.has(child.tagName)) {
        end();
        walk(child, child, null);
        end();
      } else if (child.nodeType === Node.ELEMENT_NODE) {
        walk(child, element, child.tagName === "A" ? child.getAttribute("href") : address);
      }
    }
  }
  walk(box, box, null);
  end();
  return view;
}

/** Return what is sent of a view. */
export function blocksOf(view) {
  return view.map(({ element, runs }) => {
    const own = kindOf(element);
    return {
      kind: element.dataset.kind ?? own,
      region: element.dataset.region ?? "main",
      level: own === "heading" ? Number(element.tagName[1]) : null,
      hidden: "unseen" in element.dataset,
      page: element.dataset.page ? Number(element.dataset.page) : null,
      runs,
    };
  });
}

// --- places ---

/** Return a range over a place, or null if it is not there any more. */
export function rangeOf(view, { block, start, end }) {
  const from = nodeAt(view[block], start, false);
  const to = nodeAt(view[block], end, true);
  if (!from || !to) return null;
  const range = document.createRange();
  range.setStart(...from);
  range.setEnd(...to);
  return range;
}

function nodeAt(entry, offset, isEnd) {
  for (const { node, start } of entry?.texts ?? []) {
    const within = offset - start;
    if (within >= 0 && (isEnd ? within <= node.length : within < node.length)) return [node, within];
  }
  return null;
}

/** Return block and offset of a point in the document, or null if it is in no block. */
export function placeOf(view, node, offset) {
  for (const [block, entry] of view.entries()) {
    if (!entry.element.contains(node)) continue;
    const text = entry.texts.find((text) => text.node === node);
    if (text) return { block, offset: text.start + offset };
  }
  if (node.nodeType === Node.TEXT_NODE) return null;
  const child = node.childNodes[offset] ?? node.lastChild;
  const text = child && (child.nodeType === Node.TEXT_NODE ? child : document.createTreeWalker(child, NodeFilter.SHOW_TEXT).nextNode());
  return text ? placeOf(view, text, 0) : null;
}

// --- the way out ---

/** Return the draft as HTML and as text, for the clipboard; metadata are no part of it. */
export function written(view) {
  const holder = document.createElement("div");
  const blocks = blocksOf(view).filter((block) => block.region !== "metadata");
  show(holder, blocks);
  for (const element of holder.querySelectorAll("*")) {
    for (const name of Object.keys(element.dataset)) delete element.dataset[name];
  }
  const isItem = (block) => block?.kind === "list_item";
  const text = blocks.map((block, n) => {
    const before = !n ? "" : isItem(block) && isItem(blocks[n - 1]) ? "\n" : "\n\n";
    return before + (isItem(block) ? "- " : "") + block.runs.map((run) => run.text).join("").trim();
  });
  return { html: holder.innerHTML, text: text.join("") };
}
