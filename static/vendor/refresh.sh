#!/bin/sh
# Fetch the vendored front-end files anew, at the versions named here. Needs npm and python3.
# npm's own settings say which registry is asked. Change a version, run this, look at the pages.
set -eu
tabler=1.6.1
icons=3.51.0
uplot=1.6.32

static=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() { # name version folder
    mkdir "$work/$3"
    (cd "$work/$3" && npm pack --silent "$1@$2" >/dev/null && tar xzf ./*.tgz --strip-components=1)
}
fetch @tabler/core "$tabler" core
fetch @tabler/icons "$icons" icons
fetch uplot "$uplot" uplot

mkdir -p "$static/vendor/tabler"
for kind in css js; do
    # No source map is served, so none may be named: browsers and the manifest would look for it.
    sed 's|/\*# sourceMappingURL=[^*]*\*/||; s|//# sourceMappingURL=.*||' \
        "$work/core/dist/$kind/tabler.min.$kind" >"$static/vendor/tabler/tabler.min.$kind"
done
cp "$work/icons/LICENSE" "$static/vendor/tabler/LICENSE"

mkdir -p "$static/vendor/uplot"
cp "$work/uplot/LICENSE" "$work/uplot/dist/uPlot.min.css" "$static/vendor/uplot/"
cp "$work/uplot/dist/uPlot.iife.min.js" "$static/vendor/uplot/uPlot.min.js"

python3 - "$work/icons/icons/outline" "$static/icons.txt" "$static/icons.svg" <<'PYTHON'
import pathlib, re, sys

outlines, names, sprite = map(pathlib.Path, sys.argv[1:])
symbols = []
for name in names.read_text().split("\n"):
    if not name or name.startswith("#"):
        continue
    text = (outlines / f"{name}.svg").read_text()
    paths = [path for path in re.findall(r"<path[^>]*/>", text) if 'd="M0 0h24v24H0z"' not in path]
    symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{"".join(paths)}</symbol>')
header = "<!-- Tabler Icons, MIT, made by vendor/refresh.sh -->\n"
body = "\n".join(symbols)
sprite.write_text(f'<svg xmlns="http://www.w3.org/2000/svg">\n{header}{body}\n</svg>\n')
PYTHON
echo "vendored: tabler $tabler, icons $icons, uplot $uplot"
