/** The search field above a list of results; the owner of the list handles the keys. */
import { Search } from "lucide-react";

interface Props {
  label: string;
  placeholder: string;
  value: string;
  /** The id of the list's element, and that of the row that Enter chooses. */
  list: string;
  active: string | undefined;
  onChange: (typed: string) => void;
}

export function SearchLine({ label, placeholder, value, list, active, onChange }: Props) {
  return (
    <div className="search">
      <Search size={15} aria-hidden />
      <input
        // biome-ignore lint/a11y/noAutofocus: it was just opened to be typed into
        autoFocus
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={active}
        aria-label={label}
        placeholder={placeholder}
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
    </div>
  );
}
