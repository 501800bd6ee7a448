/** The head of a drawer, or of what stands at a side: its name, what it offers, and closing it. */
import { X } from "lucide-react";
import type { ReactNode } from "react";
import { t } from "../words/words";

interface Props {
  title: string;
  onClose: () => void;
  /** Buttons before the one that closes it. */
  children?: ReactNode;
}

export function PanelHead({ title, onClose, children }: Props) {
  return (
    <header>
      <h2>{title}</h2>
      <span>
        {children}
        <button type="button" className="ghost" aria-label={t("Close")} onClick={onClose}>
          <X size={14} aria-hidden />
        </button>
      </span>
    </header>
  );
}
