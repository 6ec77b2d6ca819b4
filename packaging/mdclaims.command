#!/bin/sh
# Double click: opens the desk of mdclaims in the browser. Closing this window ends it.
# First the environment of the checkout that this file lies in, if there is one.
installed="$(dirname "$0")/../.venv/bin/mdclaims"
[ -x "$installed" ] && exec "$installed" serve --open "$@"
# Where programs of a user's own Python lie; a double click knows none of what a shell's profile adds.
PATH="$PATH:$HOME/.local/bin:/opt/homebrew/bin:/usr/local/bin"
for python in python3 "$HOME"/Library/Python/3.*/bin/python3; do
  command -v mdclaims >/dev/null 2>&1 && break
  "$python" -c "import mdclaims" >/dev/null 2>&1 && exec "$python" -m mdclaims serve --open "$@"
done
command -v mdclaims >/dev/null 2>&1 && exec mdclaims serve --open "$@"
echo 'mdclaims is not installed. Install it with: python3 -m pip install "mdclaims[web,word,pdf]"'
exit 2
