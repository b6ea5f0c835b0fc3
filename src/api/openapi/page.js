// Sends requests from the page to its own server, with the key that is typed in. Nothing is kept.
const SHOWN = 20_000;

const show = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target?.tagName === "DETAILS") {
    target.open = true;
    target.scrollIntoView();
  }
};
addEventListener("hashchange", show);
show();

const request = (form) => {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = new Headers();
  const key = document.getElementById("key").value.trim();
  if (key) headers.set("Authorization", `Bearer ${key}`);
  for (const input of form.querySelectorAll("input")) {
    if (input.value === "") continue;
    const values = input.dataset.many === undefined ? [input.value] : input.value.split(",");
    if (input.dataset.in === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
    else if (input.dataset.in === "header") headers.set(input.name, input.value);
    else for (const value of values) query.append(input.name, value.trim());
  }
  const body = form.querySelector("textarea")?.value || undefined;
  if (body) headers.set("Content-Type", form.dataset.type);
  const address = query.size ? `${path}?${query}` : path;
  return [address, { method: form.dataset.method, headers, body, credentials: "omit" }];
};

const send = async (form, output) => {
  const [address, options] = request(form);
  output.textContent = `${options.method} ${address}\n`;
  const stop = new AbortController();
  form.addEventListener("submit", () => stop.abort(), { once: true });
  const response = await fetch(address, { ...options, signal: stop.signal });
  output.textContent += `${response.status} ${response.headers.get("content-type") ?? ""}\n\n`;
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (let shown = 0; reader && shown < SHOWN; ) {
    const { done, value } = await reader.read();
    if (done) return;
    output.textContent += value.slice(0, SHOWN - shown);
    shown += value.length;
  }
  stop.abort();
};

document.getElementById("caller").addEventListener("submit", (event) => event.preventDefault());
for (const form of document.querySelectorAll("form[data-path]")) {
  form.hidden = false;
  const output = form.querySelector("output");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form, output).catch((error) => {
      if (error.name !== "AbortError") output.textContent += `${error}\n`;
    });
  });
}
