/**
 * A choice of one value from a short list: the browser's own field, with its keys, its reading by
 * screen readers and, on a phone, its wheel, in the look of the editor. Long lists with a search
 * are `ChoiceList`.
 */
import type { SelectHTMLAttributes } from "react";
import "./select.css";

interface Props extends Omit<SelectHTMLAttributes<HTMLSelectElement>, "onChange" | "children"> {
  /** The values with their labels. */
  options: readonly (readonly [value: string, label: string])[];
  onChoose: (value: string) => void;
}

export function Select({ options, onChoose, className = "", ...rest }: Props) {
  return (
    <select
      className={`select ${className}`}
      onChange={(event) => onChoose(event.currentTarget.value)}
      {...rest}
    >
      {options.map(([value, label]) => (
        <option key={value} value={value}>
          {label}
        </option>
      ))}
    </select>
  );
}
