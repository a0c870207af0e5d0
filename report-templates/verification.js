// Checks the evidence that this page carries, says how that went, and shows each record as it was signed.
(() => {
  const seal = document.getElementById("verification");
  const carrier = document.getElementById("embedded-evidence");
  if (!seal || !carrier) return;

  const line = (tag, text, name) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const show = (state, headline, ...lines) => {
    seal.dataset.state = state;
    seal.replaceChildren(line("p", headline, "sealed"), ...lines.map((text) => line("p", text)));
  };

  // The same characters that the report makes inert when it is written.
  const active = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff]|[\u{e0000}-\u{e0fff}]/gu;
  const inert = (text) => text.replace(active, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  const pretty = (value) => inert(JSON.stringify(value, null, 2) ?? "");
  const at = (record, pointer) => pointer.split("/").slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce((value, step) => value?.[step], record);
  // Numbers that JavaScript would write in another way are left out of the comparison.
  const delicate = (text) => /\d{16}|\d\.\d|\de[+-]?\d/i.test(text);

  // Puts what was signed where the page shows a record; says whether the page showed something else.
  const restore = (article, record) => {
    let changed = false;
    for (const field of article.querySelectorAll("[data-field]")) {
      const signed = inert(String(record[field.dataset.field] ?? ""));
      changed ||= field.textContent !== signed;
      field.textContent = signed;
    }
    for (const place of article.querySelectorAll("[data-pointer]")) {
      const signed = pretty(at(record, place.dataset.pointer));
      const shown = place.textContent;
      changed ||= !delicate(signed) && !delicate(shown) && (shown.length === 0 || !signed.startsWith(shown));
      place.textContent = signed;
    }
    article.querySelectorAll(".cut").forEach((note) => note.remove());
    return changed;
  };

  const mark = (article, state, text) => {
    article.dataset.signed = state;
    article.querySelector("h3").append(" ", line("span", text, "signed"));
  };

  const able = async (data) => {
    if (!globalThis.crypto?.subtle) return false;
    const name = { "ed25519": "Ed25519" }[data?.public_key?.kind];
    if (!name) return true;
    try {
      const key = Uint8Array.from(atob(data.public_key.spki), (c) => c.charCodeAt(0));
      await crypto.subtle.importKey("spki", key, { name }, false, ["verify"]);
    } catch (error) {
      return error.name !== "NotSupportedError";
    }
    return true;
  };

  const check = async () => {
    let data = null;
    try { data = JSON.parse(carrier.textContent); } catch { /* told below as tampered */ }
    if (data !== null && !(await able(data))) {
      show("unable", "This browser cannot check the signature", "It has no Ed25519, or no WebCrypto for this page. Check the packet with `cadastre packet verify` instead; nothing is said about this copy.");
      return;
    }
    const result = await verifyEmbeddedEvidence(data ?? {});
    const articles = new Map(Array.from(document.querySelectorAll(".cited[data-record]"), (one) => [one.dataset.record, one]));
    let [fits, differs] = [0, 0];
    for (const [number, { id, ok, problem }] of result.records.entries()) {
      const article = articles.get(ok ? id : /"id":"(sha256:[0-9a-f]{64})"/.exec(data.records[number]?.line)?.[1]);
      if (!article) continue;
      if (!ok) {
        mark(article, "tampered", `not what was signed: ${problem}`);
      } else if (restore(article, JSON.parse(data.records[number].line))) {
        differs += 1;
        mark(article, "tampered", "the page showed something else; this is what was signed");
      } else {
        fits += 1;
        mark(article, "verified", result.ok ? "as signed" : "fits the tree");
      }
    }
    for (const article of articles.values()) if (!article.dataset.signed) mark(article, "absent", "not among the checked records");
    if (!result.ok || differs > 0) {
      show("tampered", "Tampered: do not rely on this copy",
        result.ok ? `The page showed ${differs} of the records in another way than they were signed.` : `What failed: ${result.problem}.`);
      return;
    }
    const rest = articles.size - fits;
    show("verified", "Verified: the evidence on this page is what was signed",
      `${fits} ${fits === 1 ? "record" : "records"}, each with its place under the signed root${rest > 0 ? `; ${rest} more cited ${rest === 1 ? "record is" : "records are"} not on this page, and said to be so` : ""}. Signed at ${result.statement.signedAt}.`,
      `Root ${result.root}`,
      `Signed with the key ${result.keyId}`,
      "A page and a key that come together prove only that they fit each other. Compare the key with the one you were given:");
    const form = document.createElement("form");
    const label = line("label", "Key id you were given ");
    const input = document.createElement("input");
    input.type = "text";
    input.spellcheck = false;
    input.autocomplete = "off";
    label.append(input);
    const answer = line("p", "");
    answer.setAttribute("role", "status");
    input.addEventListener("input", () => {
      const given = input.value.trim().toLowerCase().replace(/^sha256:/, "");
      answer.textContent = given === "" ? "" : given === result.keyId ? "It is that key." : "It is another key.";
      answer.dataset.state = given === result.keyId ? "verified" : "tampered";
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(label, answer);
    seal.append(form);
  };
  show("checking", "Checking the evidence on this page");
  setTimeout(check);
})();
