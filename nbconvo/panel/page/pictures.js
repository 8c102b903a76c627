// An image of a row, the one at `at` among its images, opens large at a click.
function offerLarge(image, at, view) {
  const label = `Open large: ${image.alt || "image"}`;
  const button = node("button.np-image", { "aria-label": label, onclick: () => openLarge(button, at, view) });
  image.replaceWith(button);
  button.append(image);
}

// The page has a small one only, which is shown until the kernel has given more.
async function openLarge(button, at, { panel, row: { s, id }, element }) {
  const image = button.firstChild.cloneNode();
  const close = () => {
    large.remove();
    (button.isConnected ? button : element).focus({ preventScroll: true });
  };
  const leave = (event) => event.target === large && large.close();
  const large = node("dialog.np-large", { "aria-label": image.alt || "Image", onclose: close, onclick: leave },
    image, node("div.np-line", node("span.np-hint", { text: image.alt }), textButton("Close", () => large.close())));
  panel.root.append(large);
  large.showModal();
  const answer = await panel.store.ask("picture", { s, id, at }).catch(() => null);
  if (answer) image.src = answer.url;
  image.removeAttribute("width");
  image.removeAttribute("height");
}
