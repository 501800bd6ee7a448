/** Text on one line. While typing, undo is the browser's own. */

interface Props {
  label: string;
  value: string;
  placeholder: string;
  onChange: (value: string) => void;
  onDone: () => void;
}

export function TextField({ label, value, placeholder, onChange, onDone }: Props) {
  return (
    <label className="field text">
      <span className="label">{label}</span>
      <input
        aria-label={label}
        value={value}
        placeholder={placeholder}
        spellCheck={false}
        onChange={(event) => onChange(event.currentTarget.value)}
        onBlur={onDone}
      />
    </label>
  );
}
