@echo off
rem Double click: opens the desk of mdclaims in the browser. Closing this window ends it.
title mdclaims
where mdclaims >nul 2>nul
if %errorlevel%==0 (mdclaims serve --open %*) else (py -m mdclaims serve --open %*)
if errorlevel 1 (
  echo.
  echo mdclaims did not start. If it is not installed: py -m pip install "mdclaims[web,word,pdf]"
  pause
)
