// What the extension says to the server, without VS Code in it, so that Node alone can test it.
"use strict";

// Settings of VS Code to those of the server; what nobody chose is null, so that mdclaims.toml decides.
function serverSettings(configuration) {
  const jurisdictions = configuration.get("jurisdictions");
  return {
    mode: configuration.get("mode") || null,
    jurisdictions: jurisdictions && jurisdictions.length ? jurisdictions : null,
    info: configuration.get("info") || null,
    askReason: true,
  };
}

// Why a reason cannot be written into a directive, or undefined if it can; `after` ends the directive.
function reasonProblem(reason, after) {
  if (!reason.trim()) {
    return "A finding is marked as fine only with a reason.";
  }
  if (/[\r\n]/.test(reason)) {
    return "The reason must be on one line.";
  }
  const end = after.trim();
  return end === "-->" && reason.includes(end) ? `The reason must not hold ${end}: it ends the comment.` : undefined;
}

// The text of a directive: what the server gave with the reason between.
function directive(argument, reason) {
  return argument.before + reason.trim() + argument.after;
}

module.exports = { serverSettings, reasonProblem, directive };
