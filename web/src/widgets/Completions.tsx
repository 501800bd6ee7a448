/** The completions of a prompt, beside the word that is typed. */
import { t } from "../words/words";
import { Listbox, Option } from "./Listbox";
import { Popup } from "./Popup";
import type { Completion } from "./services";

interface Props {
  id: string;
  anchor: HTMLElement;
  found: readonly Completion[];
  at: number;
  onChoose: (found: Completion) => void;
  onClose: () => void;
}

export function Completions({ id, anchor, found, at, onChoose, onClose }: Props) {
  return (
    <Popup anchor={anchor} label={t("Completions")} className="choices" onClose={onClose}>
      <Listbox id={id} label={t("Completions")}>
        {found.map((each, index) => (
          <Option
            key={`${each.text} ${each.detail}`}
            id={`${id}-${index}`}
            at={index === at}
            onChoose={() => onChoose(each)}
          >
            <span className="name">{each.text}</span>
            <span className="detail">{each.detail}</span>
          </Option>
        ))}
      </Listbox>
    </Popup>
  );
}
