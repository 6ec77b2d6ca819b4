// What is said of the draft: the list of what to look at, and the details of one sentence. Made of text, never markup.

export const ORDER = { high: "first", normal: "then", info: "for information" };

/** Return an element with its content: texts or elements. */
export function make(tag, about = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(about)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...content.filter((part) => part !== null));
  return element;
}

/** Fill the list; each entry leads to its first sentence. */
export function fillList(list, claims, colours, go) {
  list.replaceChildren(
    ...claims.map((claim) => {
      const quote = `“${claim.quotes[0]}”${claim.quotes.length > 1 ? ` and ${claim.quotes.length - 1} more` : ""}`;
      return make(
        "li",
        { class: colours[claim.label] },
        make(
          "button",
          { type: "button", class: "entry", onclick: () => go(claim.sentences[0], true) },
          make("span", { class: "quote" }, claim.lead ? `${claim.lead}: ${quote}` : quote),
          make("span", { class: "badge" }, `${claim.name} · ${ORDER[claim.priority]}`),
        ),
      );
    }),
  );
}

/** Fill the details of a sentence. `does` holds what its buttons do: close, use, correct. */
export function fillDetail(detail, { text, claims, sentence, colours }, does) {
  detail.replaceChildren(
    make(
      "div",
      { class: "detail-head" },
      make("h3", { id: "detail-title" }, `“${text}”`),
      make("button", { type: "button", class: "close", onclick: does.close }, "Close"),
    ),
    ...claims.map((claim) => said(claim, colours[claim.label], does)),
    claims.length ? "" : make("p", {}, sentence.corrected ? "Nothing to look at: you corrected it." : "Nothing is marked here."),
    correction(sentence, does),
  );
}

function said(claim, colour, does) {
  const facts = claim.facts.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]);
  if (claim.places.length > 1) facts.push(make("dt", {}, "Where"), make("dd", {}, claim.places.join("; ")));
  return make(
    "div",
    { class: `said ${colour}` },
    make("p", { class: "badge" }, `${claim.said} · ${ORDER[claim.priority]}`),
    make("dl", { class: "facts" }, ...facts),
    ...claim.rules.map((rule) =>
      make("p", { class: "rule" }, make("a", { href: rule.address, target: "_blank", rel: "noreferrer" }, rule.title), make("br"), `${rule.line} (${rule.id}). ${rule.check}`),
    ),
    ...claim.wording.map((entry) => wording(entry, does)),
  );
}

function wording(entry, does) {
  const guide = entry.address ? make("a", { href: entry.address, target: "_blank", rel: "noreferrer" }, entry.guide) : entry.guide;
  if (entry.replacement === null) return make("p", { class: "wording" }, `“${entry.text}”: ${entry.advice} `, guide);
  return make(
    "p",
    { class: "wording" },
    `“${entry.text}” → “${entry.replacement}” `,
    guide,
    " ",
    make("button", { type: "button", class: "use", onclick: () => does.use(entry) }, `Use “${entry.replacement}”`),
  );
}

function correction(sentence, does) {
  const choices = document.getElementById("labels").content.cloneNode(true);
  for (const box of choices.querySelectorAll("input")) box.checked = sentence.labels.includes(box.value);
  const form = make(
    "form",
    { class: "correction", autocomplete: "off" },
    make("fieldset", {}, make("legend", {}, "What it is, in your judgement"), choices),
    make("button", { type: "submit" }, "Keep my labels"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    does.correct([...form.querySelectorAll("input:checked")].map((box) => box.value));
  });
  return make("details", { class: "correct" }, make("summary", {}, "Correct the labels"), form);
}
