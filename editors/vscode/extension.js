// Starts `mdclaims lsp` for Markdown and plain text, and asks for the reason when a finding is marked as fine.
"use strict";

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");
const { serverSettings, reasonProblem, directive } = require("./server");

const LANGUAGES = ["markdown", "plaintext"];
const SCHEMES = ["file", "untitled"];
const INSTALL = 'install it with: pip install "mdclaims[lsp]", or set mdclaims.path to where it is';

let client;

function settings() {
  return serverSettings(vscode.workspace.getConfiguration("mdclaims"));
}

async function start() {
  const configuration = vscode.workspace.getConfiguration("mdclaims");
  const command = configuration.get("path");
  client = new LanguageClient(
    "mdclaims",
    "mdclaims",
    { command, args: configuration.get("arguments"), transport: TransportKind.stdio },
    {
      documentSelector: LANGUAGES.flatMap((language) => SCHEMES.map((scheme) => ({ language, scheme }))),
      initializationOptions: settings(),
    },
  );
  try {
    await client.start();
  } catch (error) {
    vscode.window.showErrorMessage(`mdclaims: ${command} did not start (${error.message}); ${INSTALL}`);
  }
}

async function stop() {
  const running = client;
  client = undefined;
  // A server that never started has nothing to stop.
  await running?.stop().catch(() => undefined);
}

async function restart() {
  await stop();
  await start();
}

async function configured(event) {
  if (event.affectsConfiguration("mdclaims.path") || event.affectsConfiguration("mdclaims.arguments")) {
    await restart();
  } else if (event.affectsConfiguration("mdclaims") && client?.isRunning()) {
    await client.sendNotification("workspace/didChangeConfiguration", { settings: { mdclaims: settings() } });
  }
}

async function askReason(argument) {
  const reason = await vscode.window.showInputBox({
    prompt: "Why is this fine? The reason is written into the draft.",
    placeHolder: "figures checked by Dr Lee, until: 2027-01-31",
    validateInput: (value) => reasonProblem(value, argument.after),
  });
  if (reason === undefined) {
    return;
  }
  const document = await vscode.workspace.openTextDocument(vscode.Uri.parse(argument.uri));
  if (document.version !== argument.version) {
    vscode.window.showWarningMessage("mdclaims: the draft has changed in the meantime; mark the finding once more");
    return;
  }
  const edit = new vscode.WorkspaceEdit();
  const { line, character } = argument.position;
  edit.insert(document.uri, new vscode.Position(line, character), directive(argument, reason));
  await vscode.workspace.applyEdit(edit);
}

async function activate(context) {
  context.subscriptions.push(
    vscode.commands.registerCommand("mdclaims.askReason", askReason),
    vscode.commands.registerCommand("mdclaims.restart", restart),
    vscode.workspace.onDidChangeConfiguration(configured),
  );
  await start();
}

module.exports = { activate, deactivate: stop };
