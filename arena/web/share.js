// The link of a battle that is over: made, copied and withdrawn by whoever played it. It does not
// know what the link shows.

// Links that were made before they had names of their own go by the battle's id, and are kept as true.
function linkOf(id) {
  const { shared } = mine.find(id) ?? {};
  return shared === true ? id : shared;
}

// What only this browser still has can be withdrawn, but not be shared.
function offerShare(el, { id, kept }) {
  el.share.hidden = el.shareMake.hidden = Boolean(kept) && !linkOf(id);
}

// ask: sends a move and hands on its answer. battle: the one that is on the page.
function listenToShare(el, ask, battle) {
  const show = (id, link, words) => {
    // By then there may be another battle.
    if (id !== battle()?.id) return;
    offerShare(el, battle());
    el.shareMade.hidden = el.shareWithdraw.hidden = !link;
    el.shareLink.value = link ? new URL(`b/${encodeURIComponent(link)}`, document.baseURI).href : "";
    el.shareSaid.textContent = words;
    el.shareMake.hidden ||= Boolean(link);
    if (link) el.shareLink.select();
  };
  const learn = (id, link, words) => {
    mine.note(id, { shared: link });
    show(id, link, words);
  };
  const move = (name, fields, words) => {
    const { id } = battle();
    ask(() => trigger(name), { battle: id, ...fields }, ({ error, link = false }) => {
      if (error) show(id, linkOf(id), said(error));
      else learn(id, link, words);
    });
  };
  el.share.addEventListener("click", async () => {
    const { id } = battle();
    show(id, linkOf(id), "");
    el.shareBox.showModal();
    const known = linkOf(id) && await fetch(api(`battles/${encodeURIComponent(id)}/link`)).catch(() => null);
    if (known?.status === 404) learn(id, false, tell("arena.share_withdrawn"));
  });
  el.shareClose.addEventListener("click", () => el.shareBox.close());
  el.shareMake.addEventListener("click", () => move("publish", { prompts: el.sharePrompt.checked }, ""));
  el.shareWithdraw.addEventListener("click", () => move("withdraw", {}, tell("arena.share_withdrawn")));
  el.shareCopy.addEventListener("click", async () => {
    el.shareSaid.textContent = tell(await copied(el.shareLink.value) ? "arena.copied" : "arena.not_copied");
  });
}
