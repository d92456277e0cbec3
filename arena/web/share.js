// The link of a battle that is over: made, copied and withdrawn by whoever played it. It does not
// know what the link shows.

function shareLink(link) {
  return new URL(`b/${encodeURIComponent(link)}`, document.baseURI).href;
}

// Links that were made before they had names of their own go by the battle's id, and are kept as true.
function linkOf(id) {
  const { shared } = mine.find(id) ?? {};
  return shared === true ? id : shared;
}

// ask: sends a move and hands on its answer. battle: the one that is on the page.
function listenToShare(el, ask, battle) {
  const show = (link, words) => {
    el.shareMade.hidden = el.shareWithdraw.hidden = !link;
    el.shareLink.value = link;
    el.shareSaid.textContent = words;
    el.shareMake.hidden = Boolean(link);
  };
  const move = (name, fields, words) => {
    const id = battle();
    ask(() => trigger(name), { battle: id, ...fields }, ({ error, link = false }) => {
      if (!error) mine.note(id, { shared: link });
      // By then there may be another battle.
      if (id !== battle()) return;
      show(link ? shareLink(link) : "", error ? said(error) : words);
      if (link) el.shareLink.select();
    });
  };
  el.share.addEventListener("click", () => {
    const link = linkOf(battle());
    show(link ? shareLink(link) : "", "");
    el.shareBox.showModal();
  });
  el.shareClose.addEventListener("click", () => el.shareBox.close());
  el.shareMake.addEventListener("click", () => move("publish", { prompts: el.sharePrompt.checked }, ""));
  el.shareWithdraw.addEventListener("click", () => move("withdraw", {}, tell("arena.share_withdrawn")));
  el.shareCopy.addEventListener("click", async () => {
    el.shareSaid.textContent = tell(await copied(el.shareLink.value) ? "arena.copied" : "arena.not_copied");
  });
}
