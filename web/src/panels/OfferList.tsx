/** The palette's list of nodes, and the legend of its signs. */
import { ChevronRight } from "lucide-react";
import type { PointerEvent } from "react";
import { shownKey } from "../state/commands/keymap";
import type { Offer, OfferGroup } from "../state/editing/offers";
import { SIGNS, type Sign } from "../state/finding/query";
import { Listbox, Option } from "../widgets/Listbox";
import { t } from "../words/words";
import { Marked } from "./Marked";

interface OfferListProps {
  groups: readonly OfferGroup[];
  at: number;
  nothing: string;
  onPoint(index: number): void;
  onTake(offer: Offer, event: PointerEvent): void;
}

/** The id of the element that shows an offer. */
export function idOf(offer: Offer): string {
  return `palette-${offer.id.replace(/[^\w-]/g, "_")}`;
}

export function OfferList({ groups, at, nothing, onPoint, onTake }: OfferListProps) {
  const starts = groups.map((_, index) =>
    groups.slice(0, index).reduce((sum, each) => sum + each.offers.length, 0),
  );
  const row = (offer: Offer, index: number) => (
    <Option
      key={offer.id}
      id={idOf(offer)}
      at={index === at}
      onPoint={() => onPoint(index)}
      onChoose={(event) => onTake(offer, event)}
    >
      <Row offer={offer} />
    </Option>
  );
  return (
    <Listbox id="palette-list" label={t("Nodes")}>
      {groups.map(({ title, offers }, group) =>
        title === null ? (
          offers.map((each, index) => row(each, (starts[group] ?? 0) + index))
        ) : (
          // biome-ignore lint/a11y/useSemanticElements: a group of options has no element of its own
          <div key={title} role="group" aria-label={headingOf(title)}>
            <div className="options-heading" aria-hidden>
              {headingOf(title)}
            </div>
            {offers.map((each, index) => row(each, (starts[group] ?? 0) + index))}
          </div>
        ),
      )}
      {groups.every((each) => each.offers.length === 0) && (
        <p className="options-none">{nothing}</p>
      )}
    </Listbox>
  );
}

/** Our own headings are translated; categories of nodes keep the names their authors gave them. */
function headingOf(title: string): string {
  if (title === "Categories") return t("Categories");
  if (title === "Recently used") return t("Recently used");
  return title.replaceAll("/", " / ");
}

function Row({ offer }: { offer: Offer }) {
  if (offer.kind === "category") {
    return (
      <>
        <span className="name">{offer.label.replace(/^_/, "")}</span>
        <span className="detail">{offer.count}</span>
        <ChevronRight size={13} aria-hidden />
      </>
    );
  }
  const { schema, marks, also } = offer.found;
  return (
    <>
      <span className="name">
        <Marked text={schema.display_name} marks={marks} />
      </span>
      {also !== null && marks.length === 0 && <span className="also">{also}</span>}
      {schema.deprecated && <span className="badge">{t("deprecated")}</span>}
      {schema.experimental && <span className="badge">{t("experimental")}</span>}
      <span className="detail">{schema.category.split("/").at(-1)}</span>
    </>
  );
}

export function Legend({ onPick, replaces }: { onPick: (sign: Sign) => void; replaces: boolean }) {
  return (
    <footer className="legend">
      {(Object.keys(SIGNS) as Sign[]).map((sign) => (
        <button
          key={sign}
          type="button"
          tabIndex={-1}
          title={t(SIGNS[sign].title)}
          onClick={() => onPick(sign)}
        >
          {SIGNS[sign].example}
        </button>
      ))}
      <span className="spring" />
      <span>
        <kbd>{shownKey("Enter")}</kbd> {replaces ? t("replace") : t("add")}
      </span>
      {!replaces && (
        <span>
          <kbd>{shownKey("Shift+Enter")}</kbd> {t("add, stay open")}
        </span>
      )}
    </footer>
  );
}
