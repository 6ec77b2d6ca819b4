// The marks in the box: ranges with a style, which change nothing in it, so that caret and undo stay as they are.
import { rangeOf } from "./editor_draft.js";

const LABELS = ["call_to_action", "stigma_framing", "safety_claim", "efficacy_claim", "rule"];
export const canMark = typeof Highlight === "function" && CSS.highlights !== undefined;

/** Mark the sentences of the claims. */
export function paint(view, marks, claims) {
  if (!canMark) return;
  const ranges = new Map(LABELS.map((label) => [label, []]));
  for (const claim of claims) {
    for (const n of claim.sentences) {
      const range = rangeOf(view, marks.sentences[n]);
      if (range) ranges.get(claim.label).push(range);
    }
  }
  LABELS.forEach((label, n) => set(label, ranges.get(label), n));
}

/** Mark the sentence that the details are about, or none. */
export function paintChosen(view, place) {
  const range = place && rangeOf(view, place);
  if (canMark) set("chosen", range ? [range] : [], LABELS.length);
}

function set(name, ranges, priority) {
  const highlight = new Highlight(...ranges);
  highlight.priority = priority;
  CSS.highlights.set(name, highlight);
}
