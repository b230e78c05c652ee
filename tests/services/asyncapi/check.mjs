// Reads an AsyncAPI document on stdin and prints the parser's complaints as JSON; the test judges them.
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(0, "utf8"));
const complaints = diagnostics.map(({ code, message, path, severity }) => ({ code, message, path, severity }));
const operations = document ? document.operations().all().map((each) => [each.id(), each.action()]) : null;
process.stdout.write(JSON.stringify({ version: document?.version() ?? null, operations, complaints }));
