// Checks embedded evidence (cadastre/embedded-evidence/v1) in a browser or in Node: the DSSE signature, the
// Merkle audit path of every record, and every record's content address. WebCrypto only; no dependencies.
//
//   const result = await verifyEmbeddedEvidence(data);          // { ok, keyId, root, records: [{ id, ok }], problem }
//   const result = await verifyEmbeddedEvidence(data, keyId);   // also: the key must have this id
//
// A key that comes with the page proves only that page and key fit. Show `keyId` and let a person compare it with the
// one they were given, or pass the expected one.

const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const utf8 = new TextEncoder();

const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const toHexadecimal = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function fromHexadecimal(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("hexadecimal digits are expected");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function joined(...parts) {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

async function sha256(...parts) {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));
}

// DSSE pre-authentication encoding.
function signedBytes(payload) {
  return joined(utf8.encode(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload);
}

// WebCrypto wants two integers of fixed length where DER has a sequence of two signed integers of any length.
function ecdsaFixed(der, width) {
  if (der[0] !== 0x30 || der[1] !== der.length - 2) throw new Error("the signature is not DER");
  const fixed = new Uint8Array(2 * width);
  let at = 2;
  for (const end of [width, 2 * width]) {
    const length = der[at + 1];
    let digits = der.subarray(at + 2, at + 2 + length);
    if (der[at] !== 0x02 || digits.length !== length || length === 0) throw new Error("the signature is not DER");
    if (digits[0] === 0 && digits.length > 1) digits = digits.subarray(1);
    if (digits.length > width) throw new Error("the signature is too long");
    fixed.set(digits, end - digits.length);
    at += 2 + length;
  }
  if (at !== der.length) throw new Error("the signature is not DER");
  return fixed;
}

const ALGORITHMS = {
  "ed25519": [{ import: { name: "Ed25519" }, verify: { name: "Ed25519" } }],
  "ecdsa-p256": [
    { import: { name: "ECDSA", namedCurve: "P-256" }, verify: { name: "ECDSA", hash: "SHA-256" }, width: 32 },
  ],
  "ecdsa-p384": [
    { import: { name: "ECDSA", namedCurve: "P-384" }, verify: { name: "ECDSA", hash: "SHA-384" }, width: 48 },
  ],
  "rsa": [
    { import: { name: "RSA-PSS", hash: "SHA-256" }, verify: { name: "RSA-PSS", saltLength: 32 } },
    { import: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" }, verify: { name: "RSASSA-PKCS1-v1_5" } },
  ],
};

async function signatureFits(kind, spki, signature, message) {
  for (const algorithm of ALGORITHMS[kind] ?? []) {
    const key = await crypto.subtle.importKey("spki", spki, algorithm.import, false, ["verify"]);
    const form = algorithm.width ? ecdsaFixed(signature, algorithm.width) : signature;
    if (await crypto.subtle.verify(algorithm.verify, key, form, message)) return true;
  }
  return false;
}

// The id of a record's line: SHA-256 of the line without its `id` member, if that is the id it carries.
async function contentAddress(line) {
  const head = /^\{"caller":"(?:[^"\\]|\\.)*","collector":"(?:[^"\\]|\\.)*",/.exec(line);
  if (!head) throw new Error("a line is not a record");
  const member = /^"id":"sha256:([0-9a-f]{64})",/.exec(line.slice(head[0].length));
  if (!member) throw new Error("a record has no id");
  const rest = line.slice(head[0].length + member[0].length);
  const actual = toHexadecimal(await sha256(utf8.encode(head[0]), utf8.encode(rest)));
  if (actual !== member[1]) throw new Error(`record sha256:${member[1]} was changed`);
  return member[1];
}

// RFC 6962 §2.1: the root that a leaf's audit path leads to.
async function rootOfProof(leaf, size, hash, proof) {
  if (!Number.isSafeInteger(leaf) || leaf < 0 || leaf >= size) throw new Error("a leaf outside the tree");
  const path = proof.map(fromHexadecimal);
  let index = leaf;
  let last = size - 1;
  while (last > 0) {
    if (index % 2 === 1 || index < last) {
      const sibling = path.shift();
      if (sibling?.length !== 32) throw new Error("an audit path is too short");
      hash = index % 2 === 1 ? await sha256([1], sibling, hash) : await sha256([1], hash, sibling);
    }
    index = Math.floor(index / 2);
    last = Math.floor(last / 2);
  }
  if (path.length > 0) throw new Error("an audit path is too long");
  return toHexadecimal(hash);
}

async function recordFits(record, size, root) {
  const id = await contentAddress(record.line);
  const salt = fromHexadecimal(record.salt);
  if (salt.length !== 16) throw new Error("a salt is not 16 bytes long");
  const leaf = await sha256([0], salt, utf8.encode(`record sha256:${id}`));
  if ((await rootOfProof(record.leaf, size, leaf, record.proof)) !== root) {
    throw new Error(`record sha256:${id} does not lead to the signed root`);
  }
  return id;
}

// Checks everything; never throws. `ok` is true only when the signature and every record hold.
export async function verifyEmbeddedEvidence(data, expectedKeyId) {
  const result = { ok: false, keyId: null, root: null, statement: null, records: [], problem: null };
  try {
    if (data.schema !== "cadastre/embedded-evidence/v1") throw new Error(`unknown schema ${data.schema}`);
    const spki = fromBase64(data.public_key.spki);
    result.keyId = toHexadecimal(await sha256(spki));
    if (expectedKeyId !== undefined && expectedKeyId !== result.keyId) throw new Error("signed with another key");
    const { payload, payloadType, signatures } = data.envelope;
    if (payloadType !== PAYLOAD_TYPE || signatures.length !== 1) throw new Error("the envelope is not a packet's");
    if (signatures[0].keyid !== result.keyId) throw new Error("the envelope names another key");
    const bytes = fromBase64(payload);
    const signature = fromBase64(signatures[0].sig);
    if (!(await signatureFits(data.public_key.kind, spki, signature, signedBytes(bytes)))) {
      throw new Error("the signature does not fit");
    }
    const statement = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (statement.predicateType !== "https://cadastre.dev/packet/v1") throw new Error("not a packet's statement");
    const subject = statement.subject.find((subject) => subject.name === "merkle-root");
    const root = subject.digest["rfc6962-sha256"];
    if (statement.predicate.leaves !== data.leaves) throw new Error("the tree has another size");
    result.root = root;
    result.statement = statement.predicate;
    for (const record of data.records) {
      try {
        result.records.push({ id: `sha256:${await recordFits(record, data.leaves, root)}`, ok: true });
      } catch (error) {
        result.records.push({ id: null, ok: false, problem: error.message });
      }
    }
    const failed = result.records.find((record) => !record.ok);
    if (failed) throw new Error(failed.problem);
    result.ok = true;
  } catch (error) {
    result.problem = error.message;
  }
  return result;
}
