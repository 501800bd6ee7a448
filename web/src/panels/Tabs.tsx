/**
 * The tabs of the open documents: switch, rename, reorder and close them, by pointer or keyboard.
 */
import { ChevronDown, Plus, X } from "lucide-react";
import { type KeyboardEvent, type RefObject, useEffect, useRef, useState } from "react";
import { closeDocument, moveTab, renameTab, stepTab } from "../state/files/tabs";
import { nameOf } from "../state/session/paths";
import { isDirty, newTab, showTab, type Tab, useStudio } from "../state/session/studio";
import { notifyError } from "../state/session/view";
import { usePointerDrag } from "../widgets/pointerDrag";
import { Select } from "../widgets/Select";
import { t } from "../words/words";
import "./tabs.css";
import { withKey } from "../state/commands/keymap";

export function Tabs() {
  const tabs = useStudio((state) => state.tabs);
  const active = useStudio((state) => state.active);
  const strip = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const shown = strip.current?.querySelector(`[data-tab="${active}"]`);
    shown?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [active]);
  return (
    <div className="tabs">
      <div
        ref={strip}
        className="strip"
        onWheel={(event) => {
          if (event.deltaX === 0) event.currentTarget.scrollLeft += event.deltaY;
        }}
      >
        {/* A tablist may contain only tabs, so the close buttons are beside them. */}
        <span
          role="tablist"
          aria-label={t("Open workflows")}
          aria-owns={tabs.map((tab) => `tab-${tab.id}`).join(" ")}
        />
        {tabs.map((tab, place) => (
          <Handle key={tab.id} tab={tab} place={place} active={tab.id === active} strip={strip} />
        ))}
      </div>
      <button
        type="button"
        className="ghost"
        aria-label={t("New workflow")}
        data-tip={withKey(t("New workflow"), "file.new")}
        onClick={newTab}
      >
        <Plus size={15} aria-hidden />
      </button>
      {tabs.length > 4 && <AllTabs />}
    </div>
  );
}

interface HandleProps {
  tab: Tab;
  place: number;
  active: boolean;
  strip: RefObject<HTMLElement | null>;
}

function Handle({ tab, place, active, strip }: HandleProps) {
  const [renaming, setRenaming] = useState(false);
  const { onPointerDown } = useTabDrag(tab.id, place, strip);
  const keys = (event: KeyboardEvent) => {
    const done = keyed(event.key, tab, () => setRenaming(true));
    if (!done) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      className={active ? "tab active" : "tab"}
      data-tab={tab.id}
      data-place={place}
      onPointerDown={(event) => {
        if (!renaming) onPointerDown(event);
      }}
      onAuxClick={(event) => {
        if (event.button === 1) closeDocument(tab.id);
      }}
    >
      {renaming ? (
        <Renamer tab={tab} onDone={() => setRenaming(false)} />
      ) : (
        <button
          type="button"
          role="tab"
          id={`tab-${tab.id}`}
          aria-selected={active}
          tabIndex={active ? 0 : -1}
          title={hintOf(tab)}
          onClick={() => showTab(tab.id)}
          onDoubleClick={() => setRenaming(true)}
          onKeyDown={keys}
        >
          {tab.name}
          {isDirty(tab) && <i className="dot" aria-hidden />}
        </button>
      )}
      <button
        type="button"
        className="close"
        tabIndex={active ? 0 : -1}
        aria-label={t("Close {{name}}", { name: tab.name })}
        onClick={() => closeDocument(tab.id)}
      >
        <X size={12} aria-hidden />
      </button>
    </div>
  );
}

function hintOf(tab: Tab): string {
  if (tab.path === null) return t("Not saved yet; backed up as you work");
  return isDirty(tab) ? t("Changed since it was saved; backed up as you work") : nameOf(tab.path);
}

/** Handles a key on a tab; false if the key does nothing. */
function keyed(key: string, tab: Tab, rename: () => void): boolean {
  switch (key) {
    case "ArrowLeft":
    case "ArrowRight":
      stepTab(key === "ArrowLeft" ? -1 : 1);
      requestAnimationFrame(() => {
        document.querySelector<HTMLElement>('.strip [aria-selected="true"]')?.focus();
      });
      return true;
    case "F2":
      rename();
      return true;
    case "Delete":
      closeDocument(tab.id);
      return true;
    default:
      return false;
  }
}

function Renamer({ tab, onDone }: { tab: Tab; onDone: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.select(), []);
  const finish = (name: string) => {
    onDone();
    renameTab(tab, name).catch(notifyError);
  };
  return (
    <input
      ref={field}
      className="rename"
      aria-label={t("Name")}
      defaultValue={tab.name}
      spellCheck={false}
      onBlur={(event) => finish(event.currentTarget.value)}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") onDone();
      }}
    />
  );
}

const SLIP = 5;

/** Drags a tab: it takes the place of the tab under the pointer. */
function useTabDrag(id: string, place: number, strip: RefObject<HTMLElement | null>) {
  return usePointerDrag<number, HTMLElement>({
    begin: () => place,
    isBegun: ({ x }) => Math.abs(x) >= SLIP,
    move: (_, { clientX }, handle) => {
      handle.classList.add("dragged");
      const under = placeUnder(clientX);
      if (under !== null) moveTab(id, under);
    },
    end: (_, __, handle) => handle.classList.remove("dragged"),
    cancel: (before, handle) => {
      handle.classList.remove("dragged");
      moveTab(id, before);
    },
    // A tab that takes another place is moved in the page, and would lose the pointer.
    holder: strip,
  });
}

/** The index of the tab whose inner half is under the pointer. */
function placeUnder(x: number): number | null {
  for (const tab of document.querySelectorAll<HTMLElement>(".strip .tab")) {
    const { left, width } = tab.getBoundingClientRect();
    const inside = x > left + width / 4 && x < left + (width * 3) / 4;
    if (inside) return Number(tab.dataset.place);
  }
  return null;
}

function AllTabs() {
  const tabs = useStudio((state) => state.tabs);
  const active = useStudio((state) => state.active);
  return (
    <label className="ghost all-tabs" title={t("All open workflows")}>
      <ChevronDown size={15} aria-hidden />
      <Select
        aria-label={t("All open workflows")}
        value={active}
        options={tabs.map((tab) => [tab.id, isDirty(tab) ? `${tab.name} •` : tab.name])}
        onChoose={showTab}
      />
    </label>
  );
}
