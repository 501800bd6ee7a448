/** The menu of the right button on any picture, with the node's own entries where it is on a node. */

import { useEffect } from "react";
import { pictureActions, pictureAt, usePictureMenu } from "../state/results/pictureActions";
import { stageWindow } from "../state/results/stage";
import { type Editor, useEditor } from "../state/session/editor";
import { select } from "../state/session/studio";
import { useView } from "../state/session/view";
import { Menu, type MenuItem } from "../widgets/Menu";
import { t } from "../words/words";
import { itemsOf } from "./menus";

const close = () => usePictureMenu.setState({ opened: null });

export function PictureMenu() {
  const editor = useEditor();
  const opened = usePictureMenu((state) => state.opened);
  const isApart = useView((state) => state.stage === "window");
  useEffect(() => {
    const pages = [window, isApart ? stageWindow() : null].filter((each) => each !== null);
    const listening = new AbortController();
    const onMenu = (event: MouseEvent) => open(editor, event);
    for (const each of pages) each.addEventListener("contextmenu", onMenu, listening);
    return () => listening.abort();
  }, [editor, isApart]);
  if (opened === null) return null;
  const { picture, at } = opened;
  const items: MenuItem[] = pictureActions(editor, picture);
  if (picture.node !== null) {
    items.push("line", {
      label: t("Node"),
      entries: itemsOf(editor, { kind: "node", key: picture.node }),
    });
  }
  return (
    <Menu
      key={`${at.x} ${at.y}`}
      label={t("Picture")}
      items={items}
      at={at}
      page={picture.page}
      onClose={close}
    />
  );
}

function open(editor: Editor, event: MouseEvent): void {
  const picture = pictureAt(event.target);
  if (picture === null) return;
  event.preventDefault();
  const { selected } = editor.tab;
  if (picture.node !== null && !selected.includes(picture.node)) select(editor, [picture.node]);
  usePictureMenu.setState({ opened: { picture, at: placeOf(event) } });
}

/** The menu key's event may have no place: the middle of the picture is used then. */
function placeOf({ clientX: x, clientY: y, target }: MouseEvent): { x: number; y: number } {
  if (x !== 0 || y !== 0) return { x, y };
  const { left, top, width, height } = (target as Element).getBoundingClientRect();
  return { x: left + width / 2, y: top + height / 2 };
}
