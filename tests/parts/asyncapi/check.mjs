// Prints, as JSON, what AsyncAPI's own parser makes of the document on standard input.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const errors = diagnostics.filter((found) => found.severity === 0).map((found) => `${found.path.join("/")}: ${found.message}`);
const channels = document ? document.channels().all().map((channel) => channel.address()) : [];
console.log(JSON.stringify({ accepted: Boolean(document), errors, channels }));
