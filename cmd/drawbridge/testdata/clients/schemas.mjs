// usage: node schemas.mjs < lines   compiles one schema per line ({"name", "schema"}) as MCP clients do: ajv with draft-07 and
// with 2020-12, formats checked
import { createInterface } from 'node:readline';
import Ajv from 'ajv';
import Ajv2020 from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

const faults = [];
let compiled = 0;
let makers;
const fresh = () => [Ajv, Ajv2020].map((C) => {
  const ajv = new C.default({ strict: false, validateFormats: true, logger: false, messages: false, code: { optimize: false } });
  formats.default(ajv);
  return ajv;
});
for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { name, schema } = JSON.parse(line);
  if (compiled % 400 === 0) makers = fresh(); // compiled functions are kept by their maker
  compiled++;
  for (const ajv of makers) {
    try {
      ajv.compile(schema);
    } catch (e) {
      if (faults.length < 50) faults.push(`${name}: ${e.message}`);
    }
  }
}
console.log(JSON.stringify({ compiled, faults }));
