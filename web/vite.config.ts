// One file: scripts and styles become part of index.html, and a policy forbids everything else.
import { createHash } from "node:crypto";
import type { Plugin } from "vite";

const hash = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

// Only this very script runs, whatever the data smuggles in, and nothing is loaded from anywhere.
const policy = (script: string) =>
  `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hash(script)}`;

function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_, bundle) {
      let script = "";
      let style = "";
      for (const [name, file] of Object.entries(bundle)) {
        if (file.type === "chunk") script += file.code.replace(/<\/(?=script)/gi, "<\\/");
        else if (name.endsWith(".css")) style += file.source;
        if (name !== "index.html") delete bundle[name];
      }
      const page = bundle["index.html"];
      if (page?.type !== "asset") throw new Error("no index.html was built");
      const html = String(page.source)
        .replace(/\s*<script type="module"[^>]*><\/script>/, "")
        .replace(/\s*<link rel="stylesheet"[^>]*>/, "");
      const head = `<meta http-equiv="Content-Security-Policy" content="${policy(script)}" />
    <style>${style}</style>
  </head>`;
      // The script comes last: when it runs, the data is there. Functions: `$` means itself.
      page.source = html
        .replace("</head>", () => head)
        .replace("</body>", () => `<script type="module">${script}</script>\n  </body>`);
    },
  };
}

export default {
  plugins: [oneFile()],
  build: { target: "es2022", modulePreload: false, cssCodeSplit: false, assetsInlineLimit: 0 },
};
