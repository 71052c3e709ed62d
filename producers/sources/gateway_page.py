"""The gateway's own page: what it takes, a form to try it. Nothing is loaded from elsewhere."""

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; connect-src 'self'; "
    "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

PAGE = """<!doctype html>
<html lang="zh">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>popflow 接入网关 / gateway</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem;
  color: #1d2433; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
label { display: block; margin-top: 1rem; font-weight: 600; }
input, textarea { width: 100%; box-sizing: border-box; font: 14px/1.4 ui-monospace, monospace;
  padding: .5rem; border: 1px solid #68738a; border-radius: 4px; }
button { margin-top: 1rem; padding: .5rem 1.25rem; font-size: 1rem; border: 0; border-radius: 4px;
  color: #fff; background: #1a56b0; }
button:focus-visible, input:focus-visible, textarea:focus-visible { outline: 3px solid #d97706; }
pre { background: #f2f4f8; padding: .75rem; overflow: auto; white-space: pre-wrap; }
td, th { text-align: left; padding: .25rem .75rem .25rem 0; vertical-align: top; }
</style>
<script src="page.js" defer></script>
</head>
<body>
<main>
<h1>popflow 接入网关 <span lang="en">/ gateway</span></h1>
<p>发送契约事件（JSON）。回答 <code>accepted</code> 时事件已入库。
<span lang="en">Send contract events; <code>accepted</code> means that Kafka has them.</span></p>
<table>
<tr><th scope="row">POST <code>/v1/events</code></th><td>一个或多个事件 <span lang="en">one event,
an array, or NDJSON</span></td></tr>
<tr><th scope="row">GET <a href="v1/receipt-key">/v1/receipt-key</a></th><td>回执公钥
<span lang="en">public key of receipts</span></td></tr>
<tr><th scope="row">GET <a href="openapi.json">/openapi.json</a></th><td>OpenAPI 3.1</td></tr>
<tr><th scope="row">GET <a href="fhir/metadata">/fhir/metadata</a></th><td>FHIR R4</td></tr>
</table>
<h2>试发 <span lang="en">/ Try it</span></h2>
<p>请勿输入身份证号码。<span lang="en">No identity numbers: persons are pseudonyms here.</span></p>
<form id="form">
<label for="token">令牌 <span lang="en">Token</span></label>
<input id="token" type="password" autocomplete="off" required>
<label for="events">事件 <span lang="en">Events</span></label>
<textarea id="events" rows="14" spellcheck="false" required></textarea>
<button>发送 <span lang="en">Send</span></button>
</form>
<h2>回答 <span lang="en">/ Answer</span></h2>
<pre id="answer" role="status" aria-live="polite"></pre>
</main>
</body>
</html>
"""

SCRIPT = """'use strict';
const field = (id) => document.getElementById(id);
field('form').addEventListener('submit', async (submitted) => {
  submitted.preventDefault();
  const answer = field('answer');
  answer.textContent = '…';
  const text = field('events').value.trim();
  const lines = text.startsWith('{') && text.includes('}\\n{');
  try {
    const response = await fetch('v1/events', {
      method: 'POST',
      headers: {
        'Authorization': 'Bearer ' + field('token').value.trim(),
        'Content-Type': lines ? 'application/x-ndjson' : 'application/json',
      },
      body: text,
    });
    const said = JSON.stringify(await response.json(), null, 2);
    answer.textContent = response.status + ' ' + response.statusText + '\\n' + said;
  } catch (error) {
    answer.textContent = '网关无应答 / The gateway does not answer';
  }
});
"""
