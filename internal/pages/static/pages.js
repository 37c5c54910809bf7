// Comfort for the pages: a preview and the progress of a picture, photos of phones made small enough, one sending at
// a time, and a result that shows itself. Without this file everything works, with one page after another.

const pollEvery = 3000; // milliseconds between looks at the result
const longestSide = 2600; // pixels of a picture that is made smaller; its text stays readable

/** Shows another page's content in the place of this one's, as the address bar would. */
function show(html, url) {
	const next = new DOMParser().parseFromString(html, "text/html");
	document.title = next.title;
	document.body.replaceWith(next.body);
	history.replaceState(null, "", url);
	scrollTo(0, 0);
	start();
	const first = document.querySelector(".summary") ?? document.querySelector("#content h1");
	first.tabIndex = -1;
	first.focus({ preventScroll: true });
}

/** Makes a photo smaller until it may be sent. What is no picture stays as it is. */
async function shrink(file, limit) {
	if (file.size <= limit || !file.type.startsWith("image/")) return file;
	const picture = await createImageBitmap(file).catch(() => null);
	if (!picture) return file;
	const scale = Math.min(1, longestSide / Math.max(picture.width, picture.height));
	const canvas = document.createElement("canvas");
	canvas.width = Math.round(picture.width * scale);
	canvas.height = Math.round(picture.height * scale);
	canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
	for (const quality of [0.92, 0.8, 0.6]) {
		const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", quality));
		if (blob && blob.size <= limit) return new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" });
	}
	return file;
}

/** Says beside the fields what is wrong. */
function complain(form, text) {
	let error = form.querySelector(".error");
	if (!error) {
		error = document.createElement("p");
		error.className = "error";
		form.querySelector(".sources").before(error);
	}
	error.id = "file-error";
	error.setAttribute("role", "alert");
	error.textContent = text;
}

function busy(form, is) {
	for (const button of form.querySelectorAll("button")) button.disabled = is;
	const main = form.querySelector("button.primary");
	if (is) main.dataset.label = main.textContent;
	main.textContent = is ? main.dataset.busy : main.dataset.label ?? main.textContent;
	const sending = form.querySelector(".sending");
	if (sending) sending.hidden = !is;
}

/** Sends the picture and shows the page that the answer leads to. */
function send(form, file) {
	const request = new XMLHttpRequest();
	const bar = form.querySelector("progress");
	const lost = () => {
		busy(form, false);
		complain(form, form.dataset.lost);
	};
	request.open("POST", form.action);
	request.setRequestHeader("Accept", "text/html");
	request.upload.onprogress = (e) => {
		if (e.lengthComputable) bar.value = (100 * e.loaded) / e.total;
	};
	request.onload = () => (request.responseText ? show(request.responseText, request.status < 300 ? request.responseURL : location.href) : lost());
	request.onerror = lost;
	request.ontimeout = lost;
	const body = new FormData();
	body.append("file", file, file.name);
	request.send(body);
}

function photo(form) {
	const fields = [...form.querySelectorAll("input[type=file]")];
	const preview = form.querySelector(".preview");
	const drawing = form.querySelector(".drawing");
	const name = form.querySelector(".chosen");
	const label = form.querySelector("button.primary");
	const keep = label.textContent;
	let chosen = null;
	for (const field of fields) {
		field.addEventListener("change", () => {
			const file = field.files[0];
			for (const other of fields) if (other !== field) other.value = "";
			URL.revokeObjectURL(preview.src);
			form.querySelector(".error")?.remove();
			chosen = file ? shrink(file, Number(form.dataset.limit)) : null;
			const isPicture = Boolean(file?.type.startsWith("image/"));
			preview.hidden = !isPicture;
			drawing.hidden = isPicture;
			name.hidden = !file;
			name.textContent = file?.name ?? "";
			if (isPicture) preview.src = URL.createObjectURL(file);
			label.textContent = file && form.dataset.replace ? form.dataset.replace : keep;
		});
	}
	form.addEventListener("submit", async (event) => {
		if (event.submitter?.hasAttribute("data-sample") || !chosen) return; // a form like any other
		event.preventDefault();
		busy(form, true);
		const file = await chosen;
		if (file.size > Number(form.dataset.limit)) {
			busy(form, false);
			complain(form, form.dataset.large);
			return;
		}
		send(form, file);
	});
}

/** Keeps a second click from sending a form again. The button that was clicked still goes along. */
function once(form) {
	let sent = false;
	form.addEventListener("submit", (event) => {
		if (sent) event.preventDefault();
		sent = true;
		const button = event.submitter;
		if (button?.dataset.busy) button.textContent = button.dataset.busy;
	});
	addEventListener("pageshow", () => (sent = false));
}

/** Looks again until the check has ended. */
async function poll() {
	for (const note of document.querySelectorAll(".by-itself")) note.hidden = false;
	for (;;) {
		await new Promise((done) => setTimeout(done, pollEvery));
		if (document.hidden) continue;
		const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
		if (!answer) continue;
		const html = await answer.text();
		if (!answer.ok || !html.includes('data-state="checking"')) return show(html, location.href);
	}
}

function start() {
	document.documentElement.classList.add("scripted");
	for (const form of document.querySelectorAll("form")) {
		if (form.matches("[data-photo]")) photo(form);
		else once(form);
	}
	if (document.querySelector('#content[data-state="checking"]')) poll();
}

start();
