@echo off
rem Double click: opens the desk of mdclaims in the browser. Closing this window ends it.
title mdclaims
rem First the environment of the checkout that this file lies in, if there is one.
set "installed=%~dp0..\.venv\Scripts\mdclaims.exe"
where mdclaims >nul 2>nul && set "found=1"
if exist "%installed%" (
  "%installed%" serve --open %*
) else if defined found (
  mdclaims serve --open %*
) else (
  py -m mdclaims serve --open %*
)
if errorlevel 1 (
  echo.
  echo mdclaims did not start. If it is not installed: py -m pip install "mdclaims[web,word,pdf]"
  pause
)
