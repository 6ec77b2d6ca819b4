"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { serverSettings, reasonProblem, directive } = require("../server");
const contributed = require("../package.json").contributes.configuration.properties;

const asConfigured = (chosen = {}) => ({
  get: (key) => (key in chosen ? chosen[key] : contributed[`mdclaims.${key}`].default),
});

test("what nobody chose is left to mdclaims.toml", () => {
  const expected = { mode: null, jurisdictions: null, info: "hint", askReason: true };
  assert.deepStrictEqual(serverSettings(asConfigured()), expected);
});

test("what somebody chose is sent", () => {
  const chosen = { mode: "screen", jurisdictions: ["uk", "eu"], info: "hidden" };
  assert.deepStrictEqual(serverSettings(asConfigured(chosen)), { ...chosen, askReason: true });
});

test("a reason fits between the ends of a directive", () => {
  const comment = { before: "<!-- mdclaims: ok efficacy_claim, reason: ", after: " -->\n" };
  assert.strictEqual(reasonProblem("checked by Ann", comment.after), undefined);
  assert.strictEqual(
    directive(comment, " checked by Ann "),
    "<!-- mdclaims: ok efficacy_claim, reason: checked by Ann -->\n",
  );
  for (const reason of ["", "  ", "two\nlines", "ends --> here"]) {
    assert.match(reasonProblem(reason, comment.after), /reason/);
  }
  assert.strictEqual(reasonProblem("an arrow --> here", "]\n"), undefined);
});
