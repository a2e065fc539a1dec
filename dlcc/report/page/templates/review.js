// Sends verdicts to the server that made this page, and shows what they moved.
"use strict";
(() => {
  const { token, run } = document.body.dataset;
  const at = (id) => document.getElementById(id);
  async function ask(action, body) {
    const answer = await fetch(action, { method: "POST", headers: { "X-Token": token, "Content-Type": "application/json" }, body: JSON.stringify(body) });
    const found = await answer.json().catch(() => ({ error: "The server did not understand this page; open the printed address again." }));
    at("wrong").textContent = found.error ?? "";
    return answer.ok ? found : null;
  }
  at("say")?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = new FormData(at("say"));
    at("send").disabled = true; // a double click is one verdict
    const found = await ask("/say", { run, healthy: form.get("verdict") === "healthy", confidence: Number(form.get("confidence")), reason: at("reason").value });
    at("send").disabled = false;
    if (!found) return;
    at("say").hidden = true;
    at("after").hidden = false;
    at("verdict").textContent = `Our verdict: ${found.verdict}`;
    at("settled").textContent = `The debate settles ${found.debate}.`;
    for (const row of found.moved) {
      const line = at("moved").insertRow();
      row.forEach((text, i) => { const cell = line.insertCell(); cell.textContent = text; if (i) cell.className = "n"; });
    }
    if (!found.moved.length) at("moved").insertRow().insertCell().textContent = "nothing by half a percent or more";
    for (const said of found.argued) {
      const line = document.createElement("li");
      line.textContent = said;
      at("argued").append(line);
    }
    at("argued-title").hidden = !found.argued.length;
    at("next").focus();
  });
  at("skip")?.addEventListener("click", async () => { if (await ask("/skip", { run })) location.reload(); });
  at("undo")?.addEventListener("click", async () => { if (await ask("/undo", {})) location.reload(); });
  at("next")?.addEventListener("click", () => location.reload());
})();
